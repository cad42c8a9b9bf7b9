// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// guard sees to it that an open database is that of one registry, and that its
// files stay where they are.
//
// A database is its inode: bind mounts lead to it by several paths, and each would
// have a log of its own. So there are two locks. The one on the file beside it is
// taken before the database is touched; the one on the database itself counts for
// every path, where the system has such locks (inode_linux.go). The kernel releases
// both however the process ends.
type guard struct {
	beside *flock.Flock
	// file is the database. It is closed after SQLite has closed its own: to close
	// any file of a database drops the locks that SQLite holds on it in this
	// process.
	file  *os.File
	index *os.File               // of the log; closed as late, for the same reason
	log   string                 // its path
	files map[string]fs.FileInfo // what lies where since the opening
}

// ErrGone says that files of the database were removed or replaced while it was
// open. It is not written to as long as they are gone.
var ErrGone = errors.New("database was removed or replaced while it was open")

// lockBeside takes the lock on path.lock. That empty file stays; who removes it
// while it is held lets a second registry in where the database itself can't be
// locked. isNew reports whether it was not there before.
func (g *guard) lockBeside(path string) (isNew bool, err error) {
	path += ".lock"
	_, err = os.Lstat(path)
	isNew = errors.Is(err, fs.ErrNotExist)
	lock := flock.New(path, flock.SetPermissions(0o600))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return false, fmt.Errorf("locking: %w", err)
	case !locked:
		return false, fmt.Errorf("%w (it holds %s)", ErrInUse, path)
	}
	g.beside = lock
	return isNew, nil
}

// lockDatabase opens the file, or creates it for its owner alone, and locks it.
func (g *guard) lockDatabase(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err // Open names the path
	} else if err != nil {
		return err
	}
	switch locked, err := lockInode(file); {
	case err != nil:
		return errors.Join(fmt.Errorf("locking: %w", err), file.Close())
	case !locked:
		return errors.Join(fmt.Errorf("%w (under another path)", ErrInUse), file.Close())
	}
	g.file = file
	return nil
}

// watch remembers the files of a database that SQLite has opened: the one that the
// path given leads to, which may be a link, and those beside its target.
func (g *guard) watch(given, target string) error {
	locked, err := g.file.Stat()
	if err != nil {
		return err
	}
	g.files = map[string]fs.FileInfo{given: locked}
	for _, suffix := range []string{"-wal", "-shm"} {
		if g.files[target+suffix], err = os.Stat(target + suffix); err != nil {
			return err
		}
	}
	g.log = target + "-wal"
	if g.index, err = os.Open(target + "-shm"); err != nil {
		return err
	}
	return g.check()
}

// check fails with ErrGone unless all files are where they were. One that can't be
// looked at, for lack of permission, is taken to be there.
func (g *guard) check() error {
	for path, before := range g.files {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrPermission):
		case err != nil:
			return fmt.Errorf("%w: %w", ErrGone, err)
		case !os.SameFile(before, info):
			return fmt.Errorf("%w: %s is another file", ErrGone, path)
		}
	}
	// SQLite would write on, into a file without a beginning.
	if info, err := g.file.Stat(); err == nil && info.Size() == 0 {
		return fmt.Errorf("%w: the file is empty", ErrGone)
	}
	if info, err := os.Stat(g.log); err == nil && info.Size() == 0 && g.logged() {
		return fmt.Errorf("%w: its log %s is empty", ErrGone, g.log)
	}
	return nil
}

// logged reports whether SQLite takes its log for one with content: the index has the
// number of the last frame at byte 16. Who empties a log as SQLite does, after all is in
// the database, sets that to 0 first.
func (g *guard) logged() bool {
	var frame [4]byte
	_, err := g.index.ReadAt(frame[:], 16)
	return err == nil && frame != [4]byte{}
}

// close gives back the locks.
func (g *guard) close() error {
	var errs []error
	if g.index != nil {
		errs = append(errs, g.index.Close())
	}
	if g.file != nil {
		errs = append(errs, g.file.Close())
	}
	if g.beside != nil {
		errs = append(errs, g.beside.Unlock())
	}
	return errors.Join(errs...)
}
