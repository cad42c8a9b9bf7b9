// SPDX-License-Identifier: AGPL-3.0-only

package filewatch

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// events reports changes in the directories of some files. Nil reports none.
type events struct {
	changed chan struct{} // many changes in a row are one
	watcher *fsnotify.Watcher
	paths   []string
	drained chan struct{}
}

// newEvents returns nil where the system has no events, or no more of them.
func newEvents(paths []string) *events {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil
	}
	e := &events{make(chan struct{}, 1), watcher, paths, make(chan struct{})}
	go e.drain()
	return e
}

// drain takes all events, until the watcher is closed. It has a goroutine of its
// own because on some systems Add waits while an event is not taken.
func (e *events) drain() {
	defer close(e.drained)
	for open := true; open; {
		select {
		case _, open = <-e.watcher.Events:
		case _, open = <-e.watcher.Errors: // events were lost
		}
		select {
		case e.changed <- struct{}{}:
		default:
		}
	}
}

// wait waits until something changes, or for a while, but at least for pause where
// that is not longer. It reports false when ctx is done.
func (e *events) wait(ctx context.Context, atMost time.Duration) bool {
	if e == nil || atMost <= pause {
		return sleep(ctx, atMost, nil)
	}
	return sleep(ctx, pause, nil) && sleep(ctx, atMost-pause, e.changed)
}

// sleep waits for a while, or until there is something in the channel. It reports
// false when ctx is done.
func sleep(ctx context.Context, atMost time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-timer.C:
	}
	return true
}

// refresh watches the directories that were missing before, or are new ones
// with an old name. The directory, since a file that is replaced is another file.
func (e *events) refresh() {
	if e != nil {
		for _, path := range e.paths {
			_ = e.watcher.Add(filepath.Dir(path)) // without it there is the poll
		}
	}
}

func (e *events) close() {
	if e != nil {
		_ = e.watcher.Close()
		<-e.drained
	}
}
