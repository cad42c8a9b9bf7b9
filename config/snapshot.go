// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// maxFileBytes is the size of the largest file that is read.
const maxFileBytes = 16 << 20

// signature tells what a file held, or why it could not be read. Two are equal
// where the same was found. The empty one is that of nothing found yet.
type signature string

// sight is what a look at a file tells: what it holds, and when it was last
// written, in nanoseconds. While it is written again and again, only the latter
// may be seen to change.
type sight struct {
	holds   signature
	written int64
}

// snapshot is what was found at a path.
type snapshot struct {
	data      []byte
	info      fs.FileInfo // as it was after data was read; nil with an error
	err       error       // a *FileError
	signature signature
}

// take reads the file at path.
func take(path string) snapshot {
	data, info, err := readRegular(path)
	if err != nil {
		if within := (*fs.PathError)(nil); errors.As(err, &within) {
			err = within.Err // the rest says the path again
		}
		return snapshot{
			err:       &FileError{File: path, Err: fmt.Errorf("cannot be read: %w", err)},
			signature: signature("error " + err.Error()),
		}
	}
	sum := sha256.Sum256(data)
	return snapshot{data: data, info: info, signature: signature("sha256 " + string(sum[:]))}
}

func readRegular(path string) ([]byte, fs.FileInfo, error) {
	// Before it is opened: to open a pipe is to wait for its writer, to open
	// a device may be to set it going.
	info, err := os.Stat(path)
	if err == nil {
		err = checkRegular(info)
	}
	if err != nil {
		return nil, nil, err
	}
	// It may have become a pipe meanwhile.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	if info, err = file.Stat(); err == nil {
		err = checkRegular(info)
	}
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxFileBytes {
		return nil, nil, errTooLarge
	}
	info, err = file.Stat()
	return data, info, err
}

var errTooLarge = fmt.Errorf("larger than %d MiB", maxFileBytes>>20)

func checkRegular(info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Size() > maxFileBytes:
		return errTooLarge
	}
	return nil
}

// sight returns all of s that is to be compared.
func (s snapshot) sight() sight {
	if s.info == nil {
		return sight{holds: s.signature}
	}
	return sight{s.signature, s.info.ModTime().UnixNano()}
}

// missing tells that there is no file.
func (s snapshot) missing() bool { return errors.Is(s.err, fs.ErrNotExist) }

// blank tells that there is a file with nothing in it, as an editor leaves it
// for a moment.
func (s snapshot) blank() bool {
	return s.err == nil && len(bytes.TrimSpace(bytes.TrimPrefix(s.data, []byte("\ufeff")))) == 0
}

const (
	// raw is how long after a write another one may leave the same time of
	// modification: that of the coarsest file system, FAT.
	raw = 2 * time.Second
	// recheck is how long a file that looks the same is not read again. It
	// can't be seen from outside that a file was changed in place to one of the
	// same size and time.
	recheck = 3 * time.Second
)

// eye looks at a file again and again, and reads it only where it may have
// changed.
type eye struct {
	path string
	seen snapshot // without its data
	at   time.Time
}

// look tells what is there. With again, it is read in any case.
func (e *eye) look(again bool) sight {
	now := time.Now()
	if !again && e.seen.info != nil && now.Sub(e.at) < recheck {
		info, err := os.Stat(e.path)
		if err == nil && sameFile(info, e.seen.info) && e.at.Sub(info.ModTime()) > raw {
			return e.seen.sight()
		}
	}
	e.seen, e.at = take(e.path), now
	e.seen.data = nil
	return e.seen.sight()
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.Mode() == b.Mode() && a.ModTime().Equal(b.ModTime())
}
