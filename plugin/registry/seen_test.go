// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin/registry"
)

// storedSeen is when a backend was last seen as the store has it.
func (h *harness) storedSeen(name string) int64 {
	h.t.Helper()
	b, err := h.store.Get(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	return b.LastSeen
}

// A hub that only says that it is still there is no news: no event, no revision,
// and no write each time.
func TestRenewalsAreNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &meddledStore{Store: memory(t)}
		h := over(t, store)
		h.register(`{"name": "leased", "host": "h", "port": 1, "ttl_seconds": 10}`)
		h.registerNames("plain")
		next, stop := iter.Pull(h.watch(t.Context(), "{}"))
		defer stop()
		listed, _ := next()
		store.fail.Store(true)
		for range 40 {
			time.Sleep(time.Second)
			for _, name := range []string{"leased", "plain"} {
				if e := h.do("ping", object("name", name)); !e.Success {
					t.Fatalf("ping %s: %+v", name, e)
				}
				if seen := h.get(name).LastSeen; seen == nil || *seen != time.Now().Unix() {
					t.Fatalf("%s was last seen %v", name, seen)
				}
			}
			h.do("update", `{"name": "plain"}`) // gives nothing
		}
		if at := h.storedSeen("leased"); at != 0 {
			t.Errorf("it is stored already: %d", at)
		}
		store.fail.Store(false)
		if !h.get("leased").Active {
			t.Error("the lease was not renewed")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, name := range []string{"leased", "plain"} {
			if stored := h.storedSeen(name); stored < time.Now().Unix()-61 {
				t.Errorf("%s is stored to be last seen %d s ago", name, time.Now().Unix()-stored)
			}
		}
		if h.get("leased").Active {
			t.Error("the lease did not end")
		}
		e, _ := next()
		same(t, "the first event", fmt.Sprint(e.described(), e.Revision), fmt.Sprint("backend_deregistered leased", listed.Revision+1))
	})
}

// What is known in memory only is not lost by a change that is made meanwhile, or by
// a stop.
func TestWhenABackendWasSeenStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &meddledStore{Store: memory(t)}
		source, option := withFile(listed("listed"))
		h := over(t, store, option)
		h.registerNames("a", "deleted")
		time.Sleep(time.Second)
		for _, name := range []string{"a", "listed", "deleted"} {
			h.do("ping", object("name", name))
		}
		pinged := time.Now().Unix()
		time.Sleep(time.Second)
		h.do("update", `{"name": "a", "port": 9}`)
		source.list(withPort(9, listed("listed")))
		h.reload(1)
		put(t, store, theirs("a")) // somebody else knows of no ping
		synctest.Wait()
		h.do("delete", `{"name": "deleted"}`)
		h.registerNames("deleted")
		if seen := h.get("deleted").LastSeen; seen != nil {
			t.Errorf("a new entry was last seen %d", *seen)
		}
		for _, name := range []string{"listed"} {
			if seen := h.get(name).LastSeen; seen == nil || *seen != pinged {
				t.Errorf("%s was last seen %v, want %d", name, seen, pinged)
			}
		}
		h.close()
		if stored := h.storedSeen("listed"); stored != pinged {
			t.Errorf("it is stored to be last seen %d, want %d", stored, pinged)
		}
	})
}

// A store that fails is tried again.
func TestWhenABackendWasSeenIsStoredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var works atomic.Bool
		store := &meddledStore{Store: memory(t)}
		store.seen = func(when map[string]int64) error {
			if !works.Load() {
				return errors.New("the disk is full")
			}
			return store.Store.Seen(t.Context(), when)
		}
		h := over(t, store)
		h.registerNames("a")
		h.do("ping", `{"name": "a"}`)
		pinged := time.Now().Unix()
		time.Sleep(2 * time.Minute)
		works.Store(true)
		time.Sleep(2 * time.Minute)
		same(t, "what is stored", h.storedSeen("a"), pinged)
	})
}

// A stop and a start with nothing changed leave watches resumable, and change
// nothing.
func TestWatchResumesOverARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	answers := &hubs{}
	answers.set(map[string]string{"ws://127.0.0.1:4444": "listed", "ws://h:1": "a"})
	run := func(use func(h *harness)) {
		store := openStore(t, path)
		_, option := withFile(listed("listed"))
		h := over(t, store, option, registry.WithHealth(registry.Health{Probe: answers.probe, Timeout: time.Second}))
		use(h)
		h.close()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var at event
	run(func(h *harness) {
		h.registerNames("a", "gone")
		h.register(`{"name": "leased", "host": "h", "port": 1, "ttl_seconds": 10}`)
		h.do("deregister", `{"name": "gone"}`)
		for e := range h.watch(t.Context(), "{}") {
			at = e
			break
		}
		h.do("ping", `{"name": "a"}`)
	})
	for range 3 {
		run(func(h *harness) { h.do("ping", `{"name": "leased"}`) })
	}
	run(func(h *harness) {
		next, stop := iter.Pull(h.watch(t.Context(), object("after", at.Revision, "history", at.History)))
		defer stop()
		h.registerNames("new")
		e, _ := next()
		same(t, "the next event", fmt.Sprint(e.described(), e.Revision), fmt.Sprint("backend_registered new", at.Revision+1))
		if e.History == at.History {
			t.Error("the history is the same")
		}
	})
}
