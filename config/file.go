// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync/atomic"

	"github.com/plexus-go/plexus/internal/filewatch"
	"github.com/plexus-go/plexus/storage"
)

// maxFileBytes is the size of the largest file that is read.
const maxFileBytes = 16 << 20

// File is backends.toml as a source of backends. All methods may be called at the
// same time.
type File struct {
	path    string
	watcher *filewatch.Watcher
	loaded  atomic.Bool
}

// NewFile makes a source of the file at path, which need not exist: a regular file
// of up to 16 MiB. It holds tables [[backend]] with the keys name, host and port,
// and optionally protocol, description and namespace.
func NewFile(path string) *File {
	return &File{path: path, watcher: filewatch.New(maxFileBytes, path)}
}

// Source returns storage.SourceFile.
func (f *File) Source() storage.Source { return storage.SourceFile }

// Place returns the path of the file.
func (f *File) Place() string { return f.path }

// Load returns the backends in the order of the file. They are normalized, valid
// and active, have no id, times or revision, and no two have one name. A file that
// is missing or empty (but for comments) lists nothing, unless there was content
// before: then that is an error. A file that is being written is waited for, up to
// 3 seconds; the first time, only one that is not whole.
//
// Unless ctx is done, the text of an error is one line that begins with the path,
// and the line where one is meant.
func (f *File) Load(ctx context.Context) ([]storage.Backend, error) {
	// A start does not wait to see whether a file that is whole will be saved once
	// more: Changes yields it. A line may be cut off anywhere, and be valid.
	if !f.loaded.Swap(true) && ctx.Err() == nil {
		var backends []storage.Backend
		whole := func(files []filewatch.File) bool {
			var err error
			backends, err = parseBackends(f.path, files[0].Data)
			return files[0].Err == nil && bytes.HasSuffix(files[0].Data, []byte("\n")) && err == nil && len(backends) > 0
		}
		if f.watcher.ReadIf(whole) != nil {
			return backends, nil
		}
	}
	files, err := f.watcher.ReadSettled(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil {
		err = files[0].Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return parseBackends(f.path, files[0].Data)
}

// Changes yields whenever the file is to be loaded again, until ctx is done: when
// its content is not what was loaded last, and nobody has written to it for 400 ms.
// Many changes in a row are one.
func (f *File) Changes(ctx context.Context) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		for range f.watcher.Changes(ctx) {
			if !yield(struct{}{}) {
				return
			}
		}
	}
}
