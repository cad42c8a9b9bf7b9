// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// watch yields the events of a watch, as a client gets them.
func (h *harness) watch(ctx context.Context, params string) iter.Seq[event] {
	return func(yield func(event) bool) {
		for item := range h.hub().Call("registry.watch", []byte(params)).Items(ctx) {
			if item.Kind == plugin.KindDone || ctx.Err() != nil {
				return
			}
			content, err := codec.AppendJSON(nil, item.Content)
			if err != nil || item.Kind != plugin.KindData {
				h.t.Errorf("watch %s: %v %s", params, err, item.Message)
			} else if !yield(decode(h.t, content)) {
				return
			}
		}
	}
}

func TestWatchYieldsEveryChangeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.registerNames("a")
		next, stop := iter.Pull(h.watch(t.Context(), "{}"))
		defer stop()
		e, _ := next()
		same(t, "the beginning", e.described(), "backends a")
		h.registerNames("b")
		h.do("update", `{"name": "b", "host": "elsewhere"}`)
		for _, method := range []string{"deregister", "ping", "delete"} {
			h.do(method, `{"name": "b"}`)
		}
		last := e.Revision
		for _, want := range []string{"registered b", "updated b", "deregistered b", "registered b", "deleted b"} {
			e, _ := next()
			same(t, "the next event", e.described(), "backend_"+want)
			if e.Revision <= last {
				t.Fatalf("revision %d after %d", e.Revision, last)
			}
			last = e.Revision
		}
	})
}

// watched reads the next n events of a watch: each as "type name", and the revision
// that it carries.
func (h *harness) watched(params string, n int) (events []string, revisions []int64) {
	h.t.Helper()
	for e := range h.watch(h.t.Context(), params) {
		events, revisions = append(events, e.described()), append(revisions, e.Revision)
		if len(events) == n {
			break
		}
	}
	return events, revisions
}

// A watch that is cut off in the middle of a change of several names goes on
// after the last revision that its caller has seen, and misses nothing.
func TestWatchResumesWithinAChange(t *testing.T) {
	source, option := withFile(listed("a"), listed("b"), listed("c"))
	h := open(t, option)
	_, listedAt := h.watched("{}", 1)
	start := object("after", listedAt[0])
	h.registerNames("before")
	source.list(withPort(1, listed("a")), listed("b"), withPort(1, listed("d")), withPort(1, listed("e")))
	h.reload(3) // and c is dropped
	h.registerNames("later")

	all, revisions := h.watched(start, 6)
	reloaded := []string{"backend_deregistered c", "backend_registered d", "backend_registered e", "backend_updated a"}
	same(t, "the reload", slices.Sorted(slices.Values(all[1:5])), reloaded)
	same(t, "around it", []string{all[0], all[5]}, []string{"backend_registered before", "backend_registered later"})
	for cut := 1; cut < len(all); cut++ {
		seen := slices.Clone(all[:cut])
		position := slices.Index(revisions, revisions[cut-1]) + 1 // of what comes after the revision
		again, _ := h.watched(object("after", revisions[cut-1]), len(all)-position)
		same(t, fmt.Sprintf("cut off after %d", cut), again, all[position:])
		for _, event := range all {
			if !slices.Contains(append(seen, again...), event) {
				t.Errorf("cut off after %d: %q is lost", cut, event)
			}
		}
	}
	// A filter lets one of them through, which carries the revision.
	_, filtered := h.watched(object("after", listedAt[0], "name", "d"), 1)
	same(t, "filtered", filtered[0], revisions[4])
}

func TestWatchAfterAnUnknownRevision(t *testing.T) {
	h := open(t)
	h.registerNames("a")
	for _, after := range []int64{-1, 1 << 40} {
		var got []event
		for e := range h.watch(t.Context(), object("after", after)) {
			got = append(got, e)
		}
		if len(got) != 1 || got[0].Type != "error" || !strings.Contains(got[0].Message, "list again") {
			t.Errorf("after %d: %+v", after, got)
		}
	}
}

// A database that was restored from a copy has the revisions of the former one for
// other changes.
func TestWatchResumesItsOwnHistoryOnly(t *testing.T) {
	first, other := open(t), open(t)
	for _, h := range []*harness{first, other} {
		h.registerNames("a", "b")
	}
	position := func(h *harness) (at event) {
		for e := range h.watch(t.Context(), "{}") {
			at = e
			break
		}
		if status := h.call(t.Context(), "status", "{}").content; at.History == "" || !bytes.Contains(status, []byte(at.History)) {
			t.Errorf("the list has the history %q, the status is %s", at.History, status)
		}
		return at
	}
	at, theirs := position(first), position(other)
	first.registerNames("c")
	first.do("deregister", `{"name": "c"}`)
	first.do("delete", `{"name": "c"}`)
	for _, test := range []struct {
		params string
		want   string
	}{
		{object("after", at.Revision, "history", at.History), "backend_registered c"},
		{object("after", at.Revision+1, "history", at.History), "backend_deregistered c"},
		{object("after", at.Revision+2, "history", at.History), "backend_deleted c"},
		{object("after", at.Revision, "history", nil), "backend_registered c"},
		{object("after", at.Revision), "backend_registered c"},
		{object("after", at.Revision, "history", theirs.History), "error"},
		{object("after", at.Revision, "history", "x"), "error"},
		{object("history", "x"), "backends b a"}, // it belongs to after
	} {
		for e := range first.watch(t.Context(), test.params) {
			same(t, test.params, e.described(), test.want)
			if e.Type != "error" && e.History != at.History {
				t.Errorf("%s: the history is %q", test.params, e.History)
			}
			break
		}
	}
}

// A filter has two sides: who watches it is told what enters and what leaves.
func TestWatchTellsWhatLeavesAFilter(t *testing.T) {
	source, option := withFile(listed("f"))
	h := open(t, option)
	for _, test := range []struct {
		name string
		do   func()
		want string // of the watcher of a; empty for nothing
		left bool
	}{
		{"register into it", func() { h.register(`{"name": "x", "host": "h", "port": 1, "namespace": "a"}`) }, "backend_registered x", false},
		{"register elsewhere", func() { h.register(`{"name": "y", "host": "h", "port": 1, "namespace": "b"}`) }, "", false},
		{"update out of it", func() { h.do("update", `{"name": "x", "namespace": "b"}`) }, "backend_deleted x", true},
		{"change it outside", func() { h.do("update", `{"name": "x", "port": 9}`) }, "", false},
		{"delete it outside", func() { h.do("delete", `{"name": "x"}`) }, "", false},
		{"update into it", func() { h.do("update", `{"name": "y", "namespace": "a"}`) }, "backend_updated y", false},
		{"register out of it", func() { h.register(`{"name": "y", "host": "h", "port": 1, "namespace": "c"}`) }, "backend_deleted y", true},
		{"register back into it", func() { h.register(`{"name": "y", "host": "h", "port": 1, "namespace": "a"}`) }, "backend_registered y", false},
		{"to no namespace", func() { h.do("update", `{"name": "y", "namespace": ""}`) }, "backend_deleted y", true},
		{"a source lists it there", func() { source.list(withNamespace("a", listed("f"))); h.reload(1) }, "backend_updated f", false},
		{"a source lists it elsewhere", func() { source.list(withNamespace("b", listed("f"))); h.reload(1) }, "backend_deleted f", true},
		{"a source lists it with none", func() { source.list(listed("f")); h.reload(1) }, "", false},
	} {
		_, at := h.watched("{}", 1)
		test.do()
		h.register(`{"name": "end", "host": "h", "port": 1, "namespace": "a"}`)
		var got event
		for e := range h.watch(t.Context(), object("namespace", "a", "after", at[0])) {
			got = e
			break
		}
		if test.want == "" {
			test.want = "backend_registered end"
		}
		same(t, test.name, got.described(), test.want)
		if got.Left != test.left || got.Revision != at[0]+1 && test.want != "backend_registered end" {
			t.Errorf("%s: left %v, at revision %d after %d", test.name, got.Left, got.Revision, at[0])
		}
		h.do("delete", `{"name": "end"}`)
	}
}

// TestSlowWatchGetsANewList falls behind the history of the store.
func TestSlowWatchGetsANewList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		next, stop := iter.Pull(h.watch(t.Context(), "{}"))
		defer stop()
		next()
		overflow(t, h.store)
		h.registerNames("last")
		synctest.Wait()
		e, _ := next()
		if len(e.Backends) != 1+overflowing || e.Backends[0].Name != "last" {
			t.Errorf("got %q", e.described())
		}
		h.registerNames("later")
		e, _ = next()
		same(t, "then", e.described(), "backend_registered later")
	})
}

// TestConcurrentWatchesAndWrites checks that every watcher, whenever it began,
// ends up with the state of the registry: none missing, none twice.
func TestConcurrentWatchesAndWrites(t *testing.T) {
	h := open(t)
	const writers, each, watchers = 4, 100, 16
	var watching, writing sync.WaitGroup
	for range watchers {
		watching.Go(func() {
			known := map[string]bool{}
			last := int64(-1)
			for e := range h.watch(t.Context(), "{}") {
				if e.Revision <= last {
					t.Errorf("revision %d after %d", e.Revision, last)
				}
				last = e.Revision
				switch e.Type {
				case "backends":
					for _, b := range e.Backends {
						known[b.Name] = true
					}
				case "backend_registered":
					if known[e.Backend.Name] {
						t.Errorf("%s is yielded twice", e.Backend.Name)
					}
					known[e.Backend.Name] = true
				case "backend_deleted":
					if !known[e.Name] {
						t.Errorf("%s was not yielded", e.Name)
					}
					delete(known, e.Name)
				}
				if known["end"] {
					same(t, "how many are known at the end", len(known), writers*each/2+1)
					return
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				name := fmt.Sprintf("w%d-%d", w, i)
				h.registerNames(name)
				if i%2 == 0 {
					h.do("delete", object("name", name))
				}
			}
		})
	}
	writing.Wait()
	h.registerNames("end")
	watching.Wait()
}

// A write is answered before those who watch are told: however many they are, it does
// not wait for them.
func TestAWriteIsAnsweredBeforeItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		var told atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		const watchers = 100
		for range watchers {
			go func() {
				for range h.watch(ctx, "{}") {
					told.Add(1)
				}
			}()
		}
		synctest.Wait()
		same(t, "listed", told.Swap(0), int64(watchers))
		for _, name := range []string{"a", "b"} {
			h.registerNames(name)
		}
		synctest.Wait() // all that can happen now has happened
		same(t, "told when the writes are answered", told.Load(), int64(0))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		same(t, "told a moment later", told.Load(), int64(2*watchers))
	})
}
