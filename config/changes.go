// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"iter"
	"path/filepath"
	"time"
)

// Changes yields whenever the file is to be loaded again, until ctx ends: when
// it holds something else than the last Load found, and has been left alone for
// some tenths of a second. Many changes in a row are one.
//
// The system tells when something changes in the directories that lead to the
// file. Since it need not (network file systems, limits), the file is also
// looked at several times a second. Nothing of this goes on while the loop's
// body runs, and nothing is left of it after the loop.
func (f *File) Changes(ctx context.Context) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		eye := &eye{path: f.path}
		w := &watch{
			look:   eye.look,
			loaded: f.lastLoaded,
			load: func(found sight) bool {
				f.settle(found)
				defer f.settle(sight{})
				return yield(struct{}{})
			},
		}
		// Where there are no events there is polling.
		if watcher, err := f.listen(); err == nil {
			post := newPost(watcher, filepath.Base(f.path))
			defer post.close()
			w.events = post.events
			w.look = func(again bool) sight {
				// Before the look, so that nothing happens between them.
				post.listen(folders(f.path))
				return eye.look(again)
			}
		}
		w.run(ctx)
	}
}

// watch brings together when to look at a file and when to load it. It knows
// the file only by what it is handed, save for the time.
type watch struct {
	look   func(again bool) sight // as eye.look
	loaded func() mark            // what was loaded last
	load   func(sight) bool       // has that loaded; false ends the watch
	events <-chan bool            // as post.events; nil for none
}

func (w *watch) run(ctx context.Context) {
	var trigger trigger
	var again bool // an event named the file
	looked := time.Now().Add(-pause)
	due := looked.Add(pause) // the next look
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case named := <-w.events:
			again = again || named
			// A busy directory is no reason to look all the time.
			if next := looked.Add(pause); next.Before(due) {
				due = next
				timer.Reset(time.Until(due))
			}
			continue
		case <-timer.C:
		}
		latest := look{began: time.Now()}
		latest.sight, latest.ended = w.look(again), time.Now()
		load, wait := trigger.see(latest, w.loaded())
		if load && (ctx.Err() != nil || !w.load(latest.sight)) {
			return
		}
		again, looked = false, time.Now()
		due = looked.Add(wait)
		timer.Reset(wait)
	}
}
