// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"errors"
	"io/fs"

	"github.com/plexus-go/plexus/storage"
)

// File is backends.toml as a source of backends.
type File struct {
	path string
}

// NewFile makes a source of the file at path, which need not exist.
func NewFile(path string) *File { return &File{path: path} }

// Source tells that the backends come from the file.
func (f *File) Source() storage.Source { return storage.SourceFile }

// Load reads the file; one that is missing lists nothing. What is wrong with
// it is told by a *FileError.
func (f *File) Load(context.Context) ([]storage.Backend, error) {
	backends, err := ReadBackends(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return backends, err
}
