// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// readerMark marks a token file as one that this process reads: a shared lock,
// which others need no permission but to read the file for, and which ends with
// the process. The lock is on the file that was read: one that replaces it is
// marked when it has been read. It keeps nobody from writing.
type readerMark struct {
	mu   sync.Mutex
	held *flock.Flock
}

// set marks the file that is at the path now, instead of the former one.
func (m *readerMark) set(path string) {
	if runtime.GOOS == "windows" { // where a lock keeps others from writing
		return
	}
	// Who looks for a mark holds a lock for a moment.
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	if marked, _ := lock.TryRLockContext(ctx, time.Millisecond); !marked {
		_ = lock.Close()
		lock = nil // a mark is a help only
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held != nil {
		_ = m.held.Close()
	}
	m.held = lock
}

// remove removes the mark.
func (m *readerMark) remove() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held != nil {
		_ = m.held.Close()
		m.held = nil
	}
}

// IsRead reports whether a running program, such as a registry, authenticates its
// callers by the token file at path as it is now. It is true where that can't be
// known.
func IsRead(path string) bool {
	if runtime.GOOS == "windows" {
		return true
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer func() { _ = lock.Close() }()
	alone, err := lock.TryLock()
	return !alone && !errors.Is(err, fs.ErrNotExist)
}
