// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"fmt"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

// child is the same value whenever it is found by the same name; any name finds
// one below it.
type child string

func (c child) Define() plugin.Definition {
	return plugin.Definition{Namespace: "c", Dynamic: &plugin.Dynamic{Kind: "child", Find: findChild}}
}

func findChild(_ context.Context, name string) (plugin.Activation, error) { return child(name), nil }

// TestFoundChildrenAreBounded: whoever asks for ever new names fills no memory,
// at no level.
func TestFoundChildrenAreBounded(t *testing.T) {
	h, err := New("H")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Register(plugin.Definition{Namespace: "a", Dynamic: child("").Define().Dynamic}); err != nil {
		t.Fatal(err)
	}
	kept := &h.table.Load().mounts["a"].lifecycle.children
	call := func(path string) {
		for item := range h.Call(path, nil).Items(t.Context()) {
			if item.Kind == plugin.KindError {
				t.Fatal(path, item.Message)
			}
		}
	}
	call("a.x.y.hash")
	call("a.x.y.hash")
	if len(kept.mounts) != 2 {
		t.Fatalf("%d are kept, want x and y", len(kept.mounts))
	}
	// Room for x and another y below it, and no more.
	for n := len(kept.mounts); n < maxCached-1; n++ {
		kept.put(cacheKey{child: child(fmt.Sprint(n))}, &mount{})
	}
	call("a.x.z.hash")
	if len(kept.mounts) != maxCached {
		t.Errorf("%d are kept, want %d", len(kept.mounts), maxCached)
	}
	call("a.x.w.hash")
	if len(kept.mounts) != 1 {
		t.Errorf("%d are kept, want those after the first %d", len(kept.mounts), maxCached)
	}
}

// TestALifeAndItsCalls: it knows those that run and no others, and cancels one
// that begins while the others are cancelled.
func TestALifeAndItsCalls(t *testing.T) {
	h, err := New("H")
	if err != nil {
		t.Fatal(err)
	}
	l := newLifecycle(h, "a")
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
