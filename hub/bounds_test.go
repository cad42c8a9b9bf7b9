// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

// TestFoundChildrenAreBounded: whoever asks for ever new names fills no memory.
func TestFoundChildrenAreBounded(t *testing.T) {
	m := &mount{found: map[plugin.Activation]*mount{}}
	for range mostFound + 1 {
		m.keep(new(plugin.Definition), &mount{})
	}
	if len(m.found) != 1 {
		t.Errorf("%d are kept, want those after the first %d", len(m.found), mostFound)
	}
}

// TestALifeAndItsCalls: it knows those that run and no others, and cancels one
// that begins while the others are cancelled.
func TestALifeAndItsCalls(t *testing.T) {
	h, err := New("H")
	if err != nil {
		t.Fatal(err)
	}
	l := newLife(h, "a")
	defer l.cancel()
	call := func() *run {
		r := &run{}
		r.Context, r.cancel = context.WithCancelCause(t.Context())
		if !l.enter(r) {
			t.Fatal("a call can't begin")
		}
		return r
	}
	r := call()
	if len(l.running) != 1 || r.Err() != nil {
		t.Errorf("%d calls run, %v", len(l.running), r.Err())
	}
	l.leave(r)
	if len(l.running) != 0 {
		t.Error("a call that has ended is kept")
	}
	l.removed = true
	if r := call(); context.Cause(r) != errRemoved {
		t.Errorf("a call that was not seen: %v", context.Cause(r))
	}
}
