// SPDX-License-Identifier: AGPL-3.0-only

package config

import "time"

const (
	// quiet is how long a file must have been left alone to be taken for
	// saved. A slow save pauses for half of it, an edit is to be in force
	// within twice of it.
	quiet = 400 * time.Millisecond
	// pause is the time from one look to the next while a file is changing.
	pause = 50 * time.Millisecond
	// poll is that time while it is not, and no event tells of a change.
	poll = 250 * time.Millisecond
)

// stillness tells how long a file has been left alone.
type stillness struct {
	last  sight
	since time.Time
}

// look is what was found, and when: between two times, which are far from each
// other where the file is large, or the system busy.
type look struct {
	sight
	began, ended time.Time
}

// see takes in the latest look, and tells whether for long enough there has
// been nothing else to see.
func (s *stillness) see(latest look) bool {
	if latest.sight != s.last {
		s.last, s.since = latest.sight, latest.ended
	}
	return latest.began.Sub(s.since) >= quiet
}

// mark tells what was loaded last, and how many loads there have been.
type mark struct {
	signature signature
	loads     int
}

// trigger decides when a file is to be loaded again: once it has been left
// alone, and holds something else than was loaded last.
type trigger struct {
	still stillness
	told  mark // what to load, and how often something had been loaded by then
}

// see takes in the latest look, and what was loaded last. It tells whether to
// load the file, and after which time to look again.
func (t *trigger) see(latest look, loaded mark) (load bool, wait time.Duration) {
	if latest.holds != t.told.signature {
		t.told = mark{}
	}
	still := t.still.see(latest)
	tell := mark{latest.holds, loaded.loads}
	switch {
	case latest.holds == loaded.signature:
		return false, poll
	case tell == t.told: // and nobody listened
		return false, poll
	case !still:
		return false, min(pause, quiet-latest.ended.Sub(t.still.since))
	}
	t.told = tell
	return true, pause
}
