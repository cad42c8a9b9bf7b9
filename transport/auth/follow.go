// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// sight is what was found at a path.
type sight struct {
	data []byte
	mode fs.FileMode // 0 with an error
	err  error       // names no path
	sum  digest      // two are equal where the same was found
}

// look reads a regular file of up to 1 MiB.
func look(path string) sight {
	data, mode, err := readRegular(path)
	if err != nil {
		if within := (*fs.PathError)(nil); errors.As(err, &within) {
			err = within.Err // the rest says the path
		}
		err = fmt.Errorf("cannot be read: %w", err)
		return sight{err: err, sum: sha256.Sum256([]byte("error " + err.Error()))}
	}
	return sight{data: data, mode: mode, sum: sha256.Sum256(append([]byte("data "), data...))}
}

func readRegular(path string) ([]byte, fs.FileMode, error) {
	// Before it is opened: to open a pipe is to wait for its writer.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, 0, err
	}
	// It may have become a pipe meanwhile.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	if info, err = file.Stat(); err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, errors.New("not a regular file")
	case len(data) > maxFileBytes:
		return nil, 0, fmt.Errorf("larger than %d MiB", maxFileBytes>>20)
	}
	return data, info.Mode(), nil
}

const (
	// settled is how long a file must have been left alone to be taken for
	// saved.
	settled = 300 * time.Millisecond
	// pause is the least time from one look to the next, since a busy
	// directory is no reason to look all the time.
	pause = 50 * time.Millisecond
	// poll is that time while no event tells of a change. There need not be
	// events: network file systems, limits, a directory that is replaced.
	poll = 2 * time.Second
)

// follow calls load whenever the file at path holds something else than it was
// last known to hold, and has been left alone for a while, until ctx is done.
// What can't be read counts as something, too.
func follow(ctx context.Context, path string, known digest, load func(sight)) {
	var events chan fsnotify.Event
	var lost chan error
	if watcher, err := fsnotify.NewWatcher(); err == nil {
		defer func() { _ = watcher.Close() }()
		// The directory, since a file that is replaced is another file.
		if watcher.Add(filepath.Dir(path)) == nil {
			events, lost = watcher.Events, watcher.Errors
		}
	}
	followOn(ctx, events, lost, func() sight { return look(path) }, known, load)
}

func followOn(ctx context.Context, events <-chan fsnotify.Event, lost <-chan error, look func() sight, known digest, load func(sight)) {
	var (
		pending digest // seen, and different from what is known
		since   time.Time
		looked  time.Time
	)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-events:
			if !ok {
				events = nil
			}
			timer.Reset(max(0, pause-time.Since(looked)))
			continue
		case _, ok := <-lost: // and with it, events
			if !ok {
				lost = nil
			}
			timer.Reset(max(0, pause-time.Since(looked)))
			continue
		case <-timer.C:
		}
		looked = time.Now()
		seen := look()
		switch {
		case seen.sum == known:
			pending = digest{}
			timer.Reset(poll)
		case seen.sum != pending:
			pending, since = seen.sum, looked
			timer.Reset(settled)
		case looked.Sub(since) < settled:
			timer.Reset(settled - looked.Sub(since))
		default:
			known, pending = seen.sum, digest{}
			load(seen)
			timer.Reset(poll)
		}
	}
}
