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
}

// Read reads the regular file (or the link to one) at path. A file of more than
// maxBytes is an error. Where there is no file, Err is [fs.ErrNotExist] to
// [errors.Is].
func Read(path string, maxBytes int64) File {
	data, info, err := readRegular(path, maxBytes)
	if err != nil {
		if within := (*fs.PathError)(nil); errors.As(err, &within) {
			err = within.Err // the rest names the path
		}
		return File{Err: fmt.Errorf("cannot be read: %w", err)}
	}
	return File{Data: data, Info: info}
}

func readRegular(path string, maxBytes int64) ([]byte, fs.FileInfo, error) {
	// Checked before it is opened: opening a pipe waits for its writer, and
	// opening a device may start it.
	info, err := os.Stat(path)
	if err == nil {
		err = checkRegular(info, maxBytes)
	}
	if err != nil {
		return nil, nil, err
	}
	// It may have become a pipe in between.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	if info, err = file.Stat(); err == nil {
		err = checkRegular(info, maxBytes)
	}
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if info, err = file.Stat(); err == nil && int64(len(data)) > maxBytes {
		err = tooLarge(maxBytes)
	}
	return data, info, err
}

func checkRegular(info fs.FileInfo, maxBytes int64) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Size() > maxBytes:
		return tooLarge(maxBytes)
	}
	return nil
}

func tooLarge(maxBytes int64) error { return fmt.Errorf("larger than %d MiB", maxBytes>>20) }

// missing reports whether there is no file.
func (f File) missing() bool { return errors.Is(f.Err, fs.ErrNotExist) }

// blank reports whether there is a file with nothing in it, as an editor leaves
// it for a moment.
func (f File) blank() bool {
	return f.Err == nil && len(bytes.TrimSpace(bytes.TrimPrefix(f.Data, []byte("\ufeff")))) == 0
}

// unchanged reports whether the file at path looks the same from outside as
// when f was read.
func (f File) unchanged(path string) bool {
	if f.Err != nil {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, f.Info) && info.Size() == f.Info.Size() &&
		info.Mode() == f.Info.Mode() && info.ModTime().Equal(f.Info.ModTime())
}
