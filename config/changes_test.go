// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pretend is a file of the imagination and the one who loads it.
type pretend struct {
	mu     sync.Mutex
	holds  sight
	loaded mark
	deaf   bool // does not load what it is told to
	told   []telling
	looks  int
	events chan bool
	begin  time.Time
}

// telling is what was to be loaded, and when.
type telling struct {
	what signature
	at   time.Duration
}

// watched begins to watch a file that holds "0" and was loaded like that.
func watched(t *testing.T, p *pretend) {
	t.Helper()
	p.begin, p.holds, p.loaded = time.Now(), sight{holds: "0"}, mark{"0", 1}
	w := &watch{
		events: p.events,
		look: func(bool) sight {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.looks++
			return p.holds
		},
		loaded: func() mark {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.loaded
		},
		load: func(found sight) bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.told = append(p.told, telling{found.holds, time.Since(p.begin)})
			if !p.deaf {
				p.loaded = mark{p.holds.holds, p.loaded.loads + 1}
			}
			return true
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// write changes the file, and sends an event if there are any.
func (p *pretend) write(s signature) {
	p.mu.Lock()
	p.holds = sight{s, time.Now().UnixNano()}
	p.mu.Unlock()
	p.event()
}

func (p *pretend) event() {
	if p.events != nil {
		select {
		case p.events <- true:
		default:
		}
	}
}

// count returns how many looks there were since the last count.
func (p *pretend) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	looks := p.looks
	p.looks = 0
	return looks
}

func (p *pretend) all() []telling {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

// Each way of a save, with events and without: what is to be loaded by when.
func TestWatch(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	type write struct {
		at    time.Duration
		holds signature
	}
	for name, test := range map[string]struct {
		writes []write
		want   []signature // what is to be loaded, in order
	}{
		"nothing":                  {nil, nil},
		"one write":                {[]write{{ms(1000), "1"}}, []signature{"1"}},
		"at once":                  {[]write{{0, "1"}}, []signature{"1"}},
		"emptied and filled":       {[]write{{ms(1000), ""}, {ms(1001), "1"}}, []signature{"1"}},
		"slow":                     {[]write{{ms(1000), ""}, {ms(1200), "a"}, {ms(1400), "b"}, {ms(1600), "c"}, {ms(1800), "1"}}, []signature{"1"}},
		"there and back":           {[]write{{ms(1000), ""}, {ms(1200), "0"}}, nil},
		"there, away and back":     {[]write{{ms(1000), "1"}, {ms(3000), "2"}, {ms(3200), "1"}}, []signature{"1"}},
		"one after the other":      {[]write{{ms(1000), "1"}, {ms(3000), "2"}, {ms(5000), "1"}}, []signature{"1", "2", "1"}},
		"gone for long, then back": {[]write{{ms(1000), "missing"}, {ms(9000), "0"}}, []signature{"missing", "0"}},
	} {
		for _, events := range []bool{true, false} {
			t.Run(name+map[bool]string{true: " with events", false: " without events"}[events], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &pretend{}
					if events {
						p.events = make(chan bool, 1)
					}
					watched(t, p)
					for _, w := range test.writes {
						time.Sleep(w.at - time.Since(p.begin))
						p.write(w.holds)
					}
					time.Sleep(10 * time.Second)
					var got []signature
					for _, told := range p.all() {
						got = append(got, told.what)
						var written time.Duration
						for _, w := range test.writes {
							if w.at <= told.at && w.holds == told.what {
								written = w.at
							}
						}
						most := quiet + pause
						if !events {
							most += poll
						}
						if took := told.at - written; took < quiet || took > most {
							t.Errorf("%q was loaded %s after it was written, not %s to %s", told.what, took, quiet, most)
						}
					}
					if !slices.Equal(got, test.want) {
						t.Errorf("loaded %q, want %q", got, test.want)
					}
				})
			})
		}
	}
}

// A file that never comes to rest is not loaded, even where every look finds
// it empty by chance. Events that change nothing don't disturb its rest.
func TestWatchWaitsForRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pretend{events: make(chan bool, 1)}
		watched(t, p)
		for i := range 100 {
			p.write(signature(rune('A' + i)))
			time.Sleep(quiet - pause)
		}
		for range 100 {
			p.write("")
			time.Sleep(quiet - pause)
		}
		if told := p.all(); len(told) > 0 {
			t.Errorf("loaded while it was written: %v", told)
		}
		p.write("1")
		for range 100 {
			p.event()
			time.Sleep(pause / 10)
		}
		if told := p.all(); len(told) != 1 {
			t.Errorf("loaded %d times while nothing changed, want once", len(told))
		}
	})
}

// Others may write into the same directory as often as they like.
func TestWatchLooksRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pretend{events: make(chan bool, 1)}
		watched(t, p)
		for range 10_000 {
			p.event()
			time.Sleep(time.Millisecond)
		}
		if looks, most := p.count(), int(10*time.Second/pause)+1; looks > most {
			t.Errorf("looked %d times in 10s, want at most %d", looks, most)
		}
		time.Sleep(10 * time.Second)
		if looks, most := p.count(), int(10*time.Second/poll)+1; looks > most {
			t.Errorf("looked %d times in 10s of peace, want at most %d", looks, most)
		}
	})
}

// Who does not load when told to is not told again for the same, but for
// something else, and again when a load found something else.
func TestWatchTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pretend{events: make(chan bool, 1), deaf: true}
		watched(t, p)
		steps := []struct {
			do   func()
			want int
		}{
			{func() { p.write("1") }, 1},
			{func() { p.event() }, 1},
			{func() { p.write("2") }, 2},
			{func() { p.write("1") }, 3},
			// A load that saw a moment's content, which the watch never did.
			{func() { p.mu.Lock(); p.loaded = mark{"moment", 2}; p.mu.Unlock() }, 4},
			{func() { p.mu.Lock(); p.loaded = mark{"1", 3}; p.mu.Unlock() }, 4},
			{func() { p.write("0") }, 5},
			{func() { p.write("1") }, 5},
		}
		for i, step := range steps {
			step.do()
			time.Sleep(5 * time.Second)
			if told := p.all(); len(told) != step.want {
				t.Fatalf("step %d: told %v, want %d times", i, told, step.want)
			}
		}
	})
}

func TestWatchEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &watch{
			look: func(bool) sight {
				cancel() // when it was about to tell
				time.Sleep(quiet)
				return sight{holds: "1"}
			},
			loaded: func() mark { return mark{} },
			load:   func(sight) bool { t.Error("it told"); return true },
		}
		w.run(ctx)
	})
}

// Nothing is left behind by a loop that is broken off, or ended by its context,
// with events or without.
func TestChangesLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, file := range []*File{NewFile(t.TempDir() + "/backends.toml"), without(t.TempDir() + "/backends.toml")} {
		// It was never loaded, so it is to be loaded.
		for range file.Changes(t.Context()) {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range file.Changes(ctx) {
			cancel()
		}
		cancel()
		for range file.Changes(ctx) {
			t.Error("it changed after the end of its context")
		}
	}
	// The last ones may be on their way out.
	for deadline := time.Now().Add(time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
