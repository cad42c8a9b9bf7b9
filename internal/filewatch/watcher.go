// SPDX-License-Identifier: AGPL-3.0-only

package filewatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

const (
	// quiet is how long files must have been left alone to count as saved. A
	// slow save may pause for half of it, a change is to be in force within a
	// second.
	quiet = 400 * time.Millisecond
	// pause is the time from one look to the next while files are changing, and
	// the minimum at events, of which a busy directory has many.
	pause = 50 * time.Millisecond
	// poll is that time while they are not.
	poll = 250 * time.Millisecond
	// reread is how long files that look the same are not read again. From
	// outside, a change in place to the same size and time can't be seen.
	reread = time.Second
	// maxWait is how long ReadSettled waits.
	maxWait = 3 * time.Second
)

// What keeps files from being used, though nothing may be wrong with them.
var (
	errGone    = errors.New("is missing, and was not before: nothing is changed")
	errEmptied = errors.New("is empty, and was not before: nothing is changed")
	errComment = errors.New("is empty but for comments, and was not before: nothing is changed")
	errBusy    = errors.New("is still being written: nothing is changed")
)

// Watcher watches files that belong together. It knows which content it has
// returned last, from any of its methods, which may be called at the same time.
//
// A file that had content before, and is missing or empty now, has an Err that
// says so, which is not [fs.ErrNotExist]. Lines that begin with # are no content.
type Watcher struct {
	paths    []string
	maxBytes int64
	events   func(paths []string) *events

	mu     sync.Mutex
	known  digest // of what was returned last; zero for nothing
	filled []bool // by path: it has had content
}

type digest [sha256.Size]byte

// New makes a watcher of regular files of up to maxBytes each. They need not
// exist, nor their directories.
func New(maxBytes int64, paths ...string) *Watcher {
	return &Watcher{paths: paths, maxBytes: maxBytes, events: newEvents, filled: make([]bool, len(paths))}
}

// Read returns the files as they are now, in the order of their paths.
func (w *Watcher) Read() []File {
	return w.ReadIf(func([]File) bool { return true })
}

// ReadIf returns the files as [Watcher.Read] does where they are wanted; else nil, as
// if nobody had read them.
func (w *Watcher) ReadIf(wanted func([]File) bool) []File {
	_, files := w.readIf(func(l look) bool { return wanted(l.files) })
	return files
}

// ReadSettled returns the files as [Watcher.Read] does, but not in the middle of a
// save: it waits for the end of that for up to 3 seconds, and then returns an
// error. Files that were written a while ago are returned at once. Where ctx is
// done, the error is that of ctx.
func (w *Watcher) ReadSettled(ctx context.Context) ([]File, error) {
	var still debounce
	start := time.Now()
	for wait := time.Duration(0); sleep(ctx, wait, nil); wait = pause {
		latest, files := w.readIf(func(l look) bool { return still.settled(l) || w.settledBefore(l) })
		switch {
		case files != nil:
			return files, nil
		case latest.began.Sub(start) >= maxWait:
			w.mu.Lock()
			defer w.mu.Unlock()
			w.known = digest{} // Changes reports the end of the save, whatever is there then
			return nil, errBusy
		}
	}
	return nil, ctx.Err()
}

// Changes yields the files whenever their content, or why there is none, is not
// what was returned last, and they have been left alone for a while. It ends
// with ctx, and leaves nothing behind. While the loop's body runs, nothing is
// watched.
func (w *Watcher) Changes(ctx context.Context) iter.Seq[[]File] {
	return func(yield func([]File) bool) {
		events := w.events(w.paths)
		defer events.close()
		var still debounce
		var latest look
		for wait := time.Duration(0); events.wait(ctx, wait); {
			// Events in a busy directory are no reason to read the files again.
			if time.Since(latest.began) < reread && w.unchanged(latest) {
				continue
			}
			events.refresh() // before the look, so that nothing is missed in between
			var files []File
			wait = poll
			latest, files = w.readIf(func(l look) bool {
				settled := still.settled(l)
				if l.content == w.known {
					return false
				}
				wait = pause
				return settled && ctx.Err() == nil
			})
			if files != nil && !yield(files) {
				return
			}
			for i := range latest.files {
				latest.files[i].Data = nil // they may be large
			}
		}
	}
}

// readIf looks at the files, and returns them where they are wanted. Then it notes
// what they hold, and turns those that are gone or emptied into errors.
func (w *Watcher) readIf(wanted func(look) bool) (latest look, files []File) {
	w.mu.Lock() // or this look could be older than what was returned meanwhile
	defer w.mu.Unlock()
	latest = w.look()
	if !wanted(latest) {
		return latest, nil
	}
	w.known = latest.content
	files = slices.Clone(latest.files) // the errors are not what is compared
	for i, file := range files {
		switch {
		case w.filled[i] && file.missing():
			files[i] = File{Err: errGone}
		case w.filled[i] && file.blank():
			files[i] = File{Err: errEmptied}
			if bytes.ContainsRune(file.Data, '#') {
				files[i].Err = errComment
			}
		case file.Err == nil && !file.blank():
			w.filled[i] = true
		}
	}
	return latest, files
}

// look is what was found in the files, and when: between two times, which are
// far apart where files are large or the system is busy.
type look struct {
	files        []File
	content      digest
	written      string // when; while the same is written again and again, only this changes
	began, ended time.Time
}

func (w *Watcher) look() look {
	l := look{began: time.Now()}
	sum := sha256.New()
	for _, path := range w.paths {
		file := Read(path, w.maxBytes)
		l.files = append(l.files, file)
		if file.Err != nil {
			fmt.Fprintf(sum, "error %q ", file.Err)
			continue
		}
		fmt.Fprintf(sum, "data %d ", len(file.Data))
		sum.Write(file.Data)
		l.written += file.Info.ModTime().String()
	}
	sum.Sum(l.content[:0])
	l.ended = time.Now()
	return l
}

// unchanged reports whether the files hold what was returned last in l, and look
// the same from outside.
func (w *Watcher) unchanged(l look) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.content != w.known {
		return false
	}
	for i, path := range w.paths {
		if !l.files[i].unchanged(path) {
			return false
		}
	}
	return true
}

// settledBefore reports whether one look is enough to know that nobody is
// writing.
func (w *Watcher) settledBefore(l look) bool {
	if l.content == w.known {
		return true
	}
	for i, file := range l.files {
		switch {
		case file.missing():
			if w.filled[i] {
				return false
			}
		case file.Err != nil:
		case w.filled[i] && file.blank(), file.Info.Size() != int64(len(file.Data)):
			// It is being truncated: ext4 does that first, and changes the
			// time later.
			return false
		case l.began.Sub(file.Info.ModTime()) < quiet:
			return false
		}
	}
	return true
}

// debounce reports when files have been left alone.
type debounce struct {
	content digest
	written string
	since   time.Time
}

// settled takes in the latest look, and reports whether for long enough nothing
// else has been found.
func (d *debounce) settled(l look) bool {
	if l.content != d.content || l.written != d.written {
		*d = debounce{l.content, l.written, l.ended}
	}
	return l.began.Sub(d.since) >= quiet
}
