// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/plexus-go/plexus/storage"
)

// File is backends.toml as a source of backends. [File.Load] reads it,
// [File.Changes] tells when to do so again. All methods may be called at once.
//
// A save takes time, and whoever looks in its midst sees half a file, or none.
// So a file is taken for saved when it has been left alone for some tenths of a
// second, and one that had content once is never taken for a list without
// backends because it is empty or gone: that would need a file which says so,
// with a comment or with "backend = []".
type File struct {
	path   string
	listen func() (*fsnotify.Watcher, error)
	turn   chan struct{} // holds one while a Load is on its way

	mu      sync.Mutex
	loaded  mark
	settled sight // known to have been left alone; zero for none
	filled  bool  // there has been content
	state   FileState
}

// FileState tells how the last Load of a file went.
type FileState struct {
	Path     string
	Exists   bool      // at the last Load
	LoadedAt time.Time // of the last Load that succeeded; zero for none
	Backends int       // how many that one listed
	Error    string    // of the last Load, in one line; empty where it succeeded
}

// What keeps a file from being loaded, though there may be nothing wrong with it.
var (
	errGone    = errors.New("is missing, and was not before: nothing is changed")
	errEmptied = errors.New("is empty, and was not before: nothing is changed")
	errBusy    = errors.New("is still being written: nothing is changed")
)

// NewFile makes a source of the file at path, which need not exist.
func NewFile(path string) *File {
	return &File{
		path:   path,
		listen: fsnotify.NewWatcher,
		turn:   make(chan struct{}, 1),
		state:  FileState{Path: path},
	}
}

// Source tells that the backends come from the file.
func (f *File) Source() storage.Source { return storage.SourceFile }

// State tells how the last Load went.
func (f *File) State() FileState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// Load reads the file as [ReadBackends] does. One that is missing or empty
// lists nothing, unless there was content before: then that is an error. A file
// that is being written is waited for, up to some seconds.
//
// Unless ctx is done, errors are of type [*FileError]; errors.Is tells whether
// two of them say the same.
func (f *File) Load(ctx context.Context) ([]storage.Backend, error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	seen, err := f.saved(ctx)
	if err != nil {
		return nil, err
	}
	backends, err := f.read(seen)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded = mark{seen.signature, f.loaded.loads + 1}
	f.filled = f.filled || seen.err == nil && !seen.blank()
	f.state.Exists = !seen.missing()
	if err != nil {
		f.state.Error = err.Error()
		return nil, err
	}
	f.state.Error, f.state.LoadedAt, f.state.Backends = "", time.Now(), len(backends)
	return backends, nil
}

// read makes backends of what was found.
func (f *File) read(seen snapshot) ([]storage.Backend, error) {
	f.mu.Lock()
	filled := f.filled
	f.mu.Unlock()
	switch {
	case seen.missing() && filled:
		return nil, &FileError{File: f.path, Err: errGone}
	case seen.missing():
		return nil, nil
	case seen.err != nil:
		return nil, seen.err
	case seen.blank() && filled:
		return nil, &FileError{File: f.path, Err: errEmptied}
	}
	return ParseBackends(f.path, seen.data)
}

// patience is how long Load waits for a file that is being written.
const patience = 3 * time.Second

// saved returns what the file holds when it is not just being written. The
// error is that of ctx.
func (f *File) saved(ctx context.Context) (snapshot, error) {
	var still stillness
	timer := time.NewTimer(0)
	defer timer.Stop()
	for start := time.Now(); ; timer.Reset(pause) {
		select {
		case <-ctx.Done():
			return snapshot{}, ctx.Err()
		case <-timer.C:
		}
		began := time.Now()
		seen := take(f.path)
		latest := look{seen.sight(), began, time.Now()}
		switch {
		case f.leftAlone(seen, began) || still.see(latest):
			return seen, nil
		case began.Sub(start) >= patience:
			// It is to be loaded when it is saved, whatever it holds then.
			return snapshot{err: &FileError{File: f.path, Err: errBusy}, signature: "busy"}, nil
		}
	}
}

// leftAlone tells whether one look, from began on, is enough to know that nobody
// is writing.
func (f *File) leftAlone(seen snapshot, began time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case seen.sight() == f.settled:
		return true
	case seen.missing():
		return !f.filled
	case seen.err != nil:
		return true
	case seen.blank() && f.filled, seen.info.Size() != int64(len(seen.data)):
		// It is being shortened: ext4 does that first, and notes the time
		// of the change later.
		return false
	}
	return began.Sub(seen.info.ModTime()) >= quiet
}

// settle tells Load what has been left alone; zero takes it back.
func (f *File) settle(s sight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = s
}

// lastLoaded tells what Load found last.
func (f *File) lastLoaded() mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loaded
}

// Place returns the path of the file.
func (f *File) Place() string { return f.path }
