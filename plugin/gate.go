// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"iter"
	"runtime"
	"strings"
	"sync"
)

// mostRefused is how often a method may yield in vain before it is ended.
const mostRefused = 1000

// gate lets the items of a stream pass one after the other, and none after its
// end, from whatever goroutine they come. A range over the method's sequence
// would panic there, which ends the process: only on the goroutine of the call
// is somebody who recovers.
type gate struct {
	yield func(content any, err error) bool

	mu      sync.Mutex // held while an item is taken
	over    bool
	refused int
}

// passAll runs the sequence of a method.
func passAll[Out any](items iter.Seq2[Out, error], yield func(content any, err error) bool) {
	g := &gate{yield: yield}
	defer g.close()
	items(func(out Out, err error) bool {
		if err != nil {
			return g.pass(nil, err)
		}
		return g.pass(out, nil)
	})
}

func (g *gate) pass(content any, err error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		g.refuse()
		return false
	}
	g.over = true // where a panic of who takes the item leaves through here
	more := g.yield(content, err)
	g.over = !more
	return more
}

// close makes that none passes any more.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
}

// refuse ends a method that goes on and on though no more is wanted. What runs
// on a goroutine of its own is only told so, by each yield.
func (g *gate) refuse() {
	if g.refused++; g.refused%mostRefused == 0 && ofStream() {
		panic("the method goes on though yield has returned false")
	}
}

// ofStream tells whether this goroutine runs the sequence of a method.
func ofStream() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "/plugin.passAll[...]") {
			return true
		}
		if !more {
			return false
		}
	}
}
