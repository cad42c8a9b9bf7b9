// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"zombiezen.com/go/sqlite"
)

// memory is the path of a store without a file.
const memory = ":memory:"

// Errors of [Open] that a caller can act on.
var (
	// ErrInUse says that another registry, in this process or another one,
	// has the database open.
	ErrInUse = errors.New("database is in use by another registry")
	// ErrForeign says that the file is not a registry's database. It was not
	// changed.
	ErrForeign = errors.New("not a registry database")
	// ErrNewer says that a newer version of this program wrote the database.
	// It was not changed.
	ErrNewer = errors.New("database was written by a newer version of this program")
)

// prepareDirectory makes sure that there is a directory for the database. It returns
// the absolute path, and where the file really is: two names of one file must meet
// the same lock, and SQLite's own files lie beside the target of a link.
func prepareDirectory(path string) (given, target string, err error) {
	if path == "" {
		return "", "", errors.New("the path is empty")
	}
	if given, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(filepath.Dir(given), 0o700); err != nil {
		return "", "", err
	}
	switch info, err := os.Stat(given); {
	case errors.Is(err, fs.ErrNotExist):
		link, err := os.Readlink(given)
		if err != nil { // it is no link, and will be created
			return given, given, nil
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(given), link)
		}
		_, target, err = prepareDirectory(link) // what the link leads to will be
		return given, target, err
	case err != nil:
		return "", "", err
	case info.IsDir():
		return "", "", errors.New("is a directory")
	case !info.Mode().IsRegular():
		return "", "", errors.New("is not a regular file")
	}
	target, err = filepath.EvalSymlinks(given)
	return given, target, err
}

// prepareFile locks the file, after it has created it where it is not there, and
// finds out whether it may be opened. It changes nothing of one that was there.
func (g *guard) prepareFile(path string) error {
	// Each name of a file would have a log of its own. What one has left, the other
	// would miss, and destroy.
	if info, err := os.Stat(path); err == nil && links(info) > 1 {
		return fmt.Errorf("the file has %d names (hard links), and a registry under each would destroy it: "+
			"remove all but one (find -samefile lists them), or use a symbolic link", links(info))
	}
	if err := g.lockDatabase(path); err != nil {
		return err
	}
	header := make([]byte, headerSize)
	_, err := io.ReadFull(g.file, header)
	switch {
	case err == io.EOF:
		return nil // empty: a new database
	case err == io.ErrUnexpectedEOF, err == nil && string(header[:len(magic)]) != magic:
		return fmt.Errorf("%w: file is not a SQLite database", ErrForeign)
	case err != nil:
		return fmt.Errorf("reading: %w", err)
	}
	unfinished := slices.ContainsFunc(journals, func(suffix string) bool {
		info, err := os.Stat(path + suffix)
		return err == nil && info.Size() > 0
	})
	if !unfinished {
		return examine(immutable(path), sqlite.OpenReadOnly|sqlite.OpenURI)
	}
	// What a process that died has left in the journal is part of the
	// database, and reading it would write it back. Into our own file it may;
	// of any other look at a copy.
	if binary.BigEndian.Uint32(header[applicationIDOffset:]) == applicationID {
		return nil
	}
	return examineCopy(path)
}

// explain replaces "unable to open database file", which SQLite answers where it
// can't create its files beside the database.
func explain(err error, path string) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCantOpen, sqlite.ResultReadOnly:
	default:
		return err
	}
	file, createErr := os.CreateTemp(filepath.Dir(path), ".plexus-registry-*")
	if createErr != nil {
		return fmt.Errorf("files must be created beside it: %w", createErr)
	}
	_ = file.Close()
	_ = os.Remove(file.Name())
	return err
}

// immutable is the name under which SQLite reads a file as if nobody could
// ever write it: without locks, journals or companions.
func immutable(path string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: "immutable=1"}).String()
}

// journals are the ends of the names of SQLite's files beside a database.
var journals = []string{"-wal", "-journal"}

func examineCopy(path string) error {
	dir, err := os.MkdirTemp("", "plexus-registry-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, "copy.db")
	for _, suffix := range append([]string{""}, journals...) {
		if err := copyFile(copied+suffix, path+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return examine(copied, sqlite.OpenReadWrite)
}

func copyFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return cmp.Or(err, dst.Close())
}

// examine fails where a database is not one that we may open.
func examine(name string, flags sqlite.OpenFlags) error {
	conn, err := openConn(name, flags)
	if err != nil {
		return err
	}
	return cmp.Or(checkSchema(conn), conn.Close())
}
