// SPDX-License-Identifier: AGPL-3.0-only

package filewatch

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// Loaded is what was made of watched files. While they can't be used, it stays as
// it was.
type Loaded[T any] struct {
	watcher *Watcher
	load    func(files []File) (T, error)
	current atomic.Pointer[T]
	err     atomic.Pointer[error] // nil while what is loaded is what the files hold
}

// Load calls load with the files, as [New] watches them, all of which could be
// read. An error about a file that can't be read begins with its path.
func Load[T any](load func(files []File) (T, error), maxBytes int64, paths ...string) (*Loaded[T], error) {
	l := &Loaded[T]{watcher: New(maxBytes, paths...), load: load}
	return l, l.use(l.watcher.Read())
}

func (l *Loaded[T]) use(files []File) (err error) {
	defer func() {
		l.err.Store(nil)
		if err != nil {
			l.err.Store(&err)
		}
	}()
	for i, file := range files {
		if file.Err != nil {
			return fmt.Errorf("%s: %w", l.watcher.paths[i], file.Err)
		}
	}
	value, err := l.load(files)
	if err == nil {
		l.current.Store(&value)
	}
	return err
}

// Get returns what was loaded last.
func (l *Loaded[T]) Get() T { return *l.current.Load() }

// Err returns why the files can't be used as they are now, and nil where they are
// in use.
func (l *Loaded[T]) Err() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Follow loads the files again whenever they change, until ctx is done. Then it
// calls changed, or logs an error once, with the message.
func (l *Loaded[T]) Follow(ctx context.Context, log *slog.Logger, message string, changed func()) {
	for files := range l.watcher.Changes(ctx) {
		if err := l.use(files); err != nil {
			log.Error(message, "error", err)
		} else {
			changed()
		}
	}
}
