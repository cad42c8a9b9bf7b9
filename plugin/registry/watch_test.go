// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// described is an event as "type name".
func described(t *testing.T, e registry.Event, err error) string {
	t.Helper()
	switch {
	case err != nil:
		t.Fatal(err)
	case e.Backends != nil:
		var names []string
		for _, b := range e.Backends.Backends {
			names = append(names, b.Name)
		}
		return "backends " + strings.Join(names, " ")
	case e.Registered != nil:
		return "registered " + e.Registered.Backend.Name
	case e.Updated != nil:
		return "updated " + e.Updated.Backend.Name
	case e.Deregistered != nil:
		return "deregistered " + e.Deregistered.Name
	case e.Deleted != nil:
		return "deleted " + e.Deleted.Name
	case e.Error != nil:
		return "error " + e.Error.Message
	}
	t.Fatalf("no event: %+v", e)
	return ""
}

func revisionOf(e registry.Event) int64 {
	switch {
	case e.Backends != nil:
		return *e.Backends.Revision
	case e.Registered != nil:
		return e.Registered.Revision
	case e.Updated != nil:
		return e.Updated.Revision
	case e.Deregistered != nil:
		return e.Deregistered.Revision
	case e.Deleted != nil:
		return e.Deleted.Revision
	}
	return 0
}

// changes makes one change of each kind.
func (p *patient) changes() {
	p.t.Helper()
	ctx := p.t.Context()
	host := "elsewhere"
	_, err1 := p.registry.Register(ctx, registry.RegisterParams{Name: "b", Host: "h", Port: 1})
	_, err2 := p.registry.Update(ctx, registry.UpdateParams{Name: "b", Host: &host})
	_, err3 := p.registry.Deregister(ctx, registry.LeaseParams{Name: "b"})
	_, err4 := p.registry.Ping(ctx, registry.LeaseParams{Name: "b"})
	_, err5 := p.registry.Delete(ctx, registry.LeaseParams{Name: "b"})
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestWatchYieldsEveryChangeInOrder(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ storage.Store) {
		p.register("a")
		next, stop := iter.Pull2(p.registry.Watch(t.Context(), registry.WatchParams{}))
		defer stop()
		e, err, _ := next()
		if got := described(t, e, err); got != "backends a" {
			t.Fatalf("it begins with %q", got)
		}
		last := revisionOf(e)
		p.changes()
		for _, want := range []string{"registered b", "updated b", "deregistered b", "registered b", "deleted b"} {
			e, err, _ := next()
			if got := described(t, e, err); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			if revisionOf(e) <= last {
				t.Fatalf("revision %d after %d", revisionOf(e), last)
			}
			last = revisionOf(e)
		}
	})
}

// watched reads the next n events of watch, as a client gets them: each as
// "type name", and the revision that it carries.
func (h *harness) watched(params string, n int) (events []string, revisions []int64) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	for item := range h.hub().Call("registry.watch", []byte(params)).Items(ctx) {
		content, err := codec.AppendJSON(nil, item.Content)
		if err != nil || item.Kind != plugin.KindData {
			h.t.Fatalf("watch %s: %v %s", params, err, item.Message)
		}
		var position struct{ Revision int64 }
		if err := json.Unmarshal(content, &position); err != nil {
			h.t.Fatal(err)
		}
		e := decode(h.t, content)
		name := e.Name
		if e.Backend != nil {
			name = e.Backend.Name
		}
		events, revisions = append(events, e.Type+" "+name), append(revisions, position.Revision)
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
	leased(t, func(t *testing.T, p *patient, store storage.Store) {
		p.register("a")
		for _, after := range []int64{-1, 1 << 40} {
			var got []string
			for e, err := range p.registry.Watch(t.Context(), registry.WatchParams{After: &after}) {
				got = append(got, described(t, e, err))
			}
			if len(got) != 1 || !strings.Contains(got[0], "list again") {
				t.Errorf("after %d: %q", after, got)
			}
		}
	})
}

// TestSlowWatchGetsANewList falls behind the history of the store.
func TestSlowWatchGetsANewList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory(t)
		p := unprobed(t, store)
		next, stop := iter.Pull2(p.registry.Watch(t.Context(), registry.WatchParams{}))
		defer stop()
		next()
		overflow(t, store)
		p.register("last")
		synctest.Wait()
		e, err, _ := next()
		if got := strings.Fields(described(t, e, err)); len(got) != 2+overflowing || got[0] != "backends" || got[1] != "last" {
			t.Errorf("got %q", got)
		}
		p.register("later")
		e, err, _ = next()
		if got := described(t, e, err); got != "registered later" {
			t.Errorf("then got %q", got)
		}
	})
}

// TestConcurrentWatchesAndWrites checks that every watcher, whenever it began,
// ends up with the state of the registry: none missing, none twice.
func TestConcurrentWatchesAndWrites(t *testing.T) {
	p := unprobed(t, memory(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const writers, each, watchers = 4, 100, 16
	var watching, writing sync.WaitGroup
	for range writers {
		for range watchers / writers {
			watching.Go(func() {
				known := map[string]bool{}
				last := int64(-1)
				for e, err := range p.registry.Watch(ctx, registry.WatchParams{}) {
					word := strings.Fields(described(t, e, err))
					if r := revisionOf(e); r <= last {
						t.Errorf("revision %d after %d", r, last)
					} else {
						last = r
					}
					switch word[0] {
					case "backends":
						for _, name := range word[1:] {
							known[name] = true
						}
					case "registered":
						if known[word[1]] {
							t.Errorf("%s is yielded twice", word[1])
						}
						known[word[1]] = true
					case "deleted":
						if !known[word[1]] {
							t.Errorf("%s was not yielded", word[1])
						}
						delete(known, word[1])
					}
					if known["end"] {
						if len(known) != writers*each/2+1 {
							t.Errorf("%d entries are known at the end", len(known))
						}
						return
					}
				}
			})
		}
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				name := fmt.Sprintf("w%d-%d", w, i)
				if _, err := p.registry.Register(ctx, registry.RegisterParams{Name: name, Host: "h", Port: 1}); err != nil {
					t.Error(err)
				}
				if i%2 == 0 {
					if _, err := p.registry.Delete(ctx, registry.LeaseParams{Name: name}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writing.Wait()
	p.register("end")
	watching.Wait()
}
