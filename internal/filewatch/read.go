// SPDX-License-Identifier: AGPL-3.0-only

package filewatch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// File is what was found at a path.
type File struct {
	Data []byte      // nil with Err
	Info fs.FileInfo // as it was after Data was read; nil with Err
	Err  error       // why the file can't be used; it does not name the path

	torn bool // it was written while it was read
}

// Read reads the regular file (or the link to one) at path. A file of more than
// maxBytes is an error. Where there is no file, Err is [fs.ErrNotExist] to
// [errors.Is].
func Read(path string, maxBytes int64) File {
	found, err := readRegular(path, maxBytes)
	if err != nil {
		if within := (*fs.PathError)(nil); errors.As(err, &within) {
			err = within.Err // the rest names the path
		}
		return File{Err: fmt.Errorf("cannot be read: %w", err)}
	}
	return found
}

func readRegular(path string, maxBytes int64) (found File, err error) {
	// To open a pipe would wait for its writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return found, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	before, err := file.Stat()
	if err == nil && !before.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err == nil && before.Size() <= maxBytes {
		found.Data, err = io.ReadAll(io.LimitReader(file, maxBytes+1))
	}
	if err != nil {
		return found, err
	}
	found.Info, err = file.Stat()
	if err == nil && max(found.Info.Size(), int64(len(found.Data))) > maxBytes {
		err = fmt.Errorf("larger than %d MiB", maxBytes>>20)
	}
	found.torn = err == nil && !sameTime(before, found.Info)
	return found, err
}

// missing reports whether there is no file.
func (f File) missing() bool { return errors.Is(f.Err, fs.ErrNotExist) }

// blank reports whether there is a file with nothing in it, as an editor leaves
// it for a moment, or nothing but comments.
func (f File) blank() bool {
	for line := range bytes.Lines(bytes.TrimPrefix(f.Data, []byte("\ufeff"))) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return f.Err == nil
}

// unchanged reports whether the file at path looks the same from outside as
// when f was read.
func (f File) unchanged(path string) bool {
	if f.Err != nil || f.torn {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, f.Info) && sameTime(info, f.Info) && info.Mode() == f.Info.Mode()
}

// sameTime reports whether nobody seems to have written in between.
func sameTime(a, b fs.FileInfo) bool { return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) }
