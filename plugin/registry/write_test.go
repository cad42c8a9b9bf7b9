// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

func TestWritesFinishWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	source, option := withFile()
	store := &meddledStore{Store: memory(t)}
	h := over(t, store, option)
	for _, test := range []struct {
		method, params string // of the entry a, that there is
		done           func() bool
	}{
		{"register", `{"name": "new", "host": "h", "port": 1}`, func() bool { return h.lookup("new") != nil }},
		{"register", `{"name": "a", "host": "other", "port": 1}`, func() bool { return h.get("a").Host == "other" }},
		{"update", `{"name": "a", "port": 99}`, func() bool { return h.get("a").Port == 99 }},
		{"ping", `{"name": "gone"}`, func() bool { return h.get("gone").Active }},
		{"deregister", `{"name": "a"}`, func() bool { return !h.get("a").Active }},
		{"delete", `{"name": "a"}`, func() bool { return h.lookup("a") == nil }},
		{"reload", ``, func() bool { return h.lookup("listed") != nil }},
	} {
		for _, when := range []string{"before", "while"} {
			store.apply = nil
			for _, name := range []string{"a", "gone", "new", "listed"} {
				h.do("delete", object("name", name))
			}
			h.registerNames("a", "gone")
			h.do("deregister", `{"name": "gone"}`)
			source.list(listed("listed"))

			ctx, cancel := context.WithCancel(context.Background())
			if when == "before" {
				cancel()
			}
			store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
				cancel()
				return store.Store.Apply(ctx, writes...)
			}
			h.doContext(ctx, test.method, test.params)
			if !test.done() {
				t.Errorf("%s, left %s: it was not done: %s", test.method, when, h.all())
			}
			same(t, "what is stored", h.stored(), h.all())
		}
	}
}

// late is the watch of a store, later by that time.
func late(store storage.Store, by time.Duration) func(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error] {
	return func(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error] {
		return func(yield func(storage.Change, error) bool) {
			for change, err := range store.Watch(ctx, after) {
				time.Sleep(by)
				if !yield(change, err) {
					return
				}
			}
		}
	}
}

// Every reader sees a write that was answered before, though the store's watch
// is late.
func TestWritesAreVisibleToTheNextRead(t *testing.T) {
	t.Parallel()
	inner := memory(t)
	h := over(t, &meddledStore{Store: inner, watch: late(inner, time.Millisecond)})
	for i := range 20 {
		name := fmt.Sprint("n", i)
		h.registerNames(name)
		if h.lookup(name) == nil || h.names("")[0] != name {
			t.Fatalf("%s is not visible", name)
		}
		h.do("update", object("name", name, "port", 2))
		if h.get(name).Port != 2 {
			t.Fatalf("the update of %s is not visible", name)
		}
		h.do("delete", object("name", name))
		if h.lookup(name) != nil || len(h.names("")) != 0 {
			t.Fatalf("the deletion of %s is not visible", name)
		}
		h.registerNames(name)
		if h.lookup(name) == nil {
			t.Fatalf("%s is not visible again", name)
		}
		h.do("delete", object("name", name))
	}
}

const crowd = 500

func TestConcurrentRegistrationsOfDistinctNames(t *testing.T) {
	t.Parallel()
	h := open(t)
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() {
			name, port := fmt.Sprintf("n%03d", i), i+1
			if e := h.register(object("name", name, "host", "h", "port", port)); e.Name != name || e.Port != port {
				t.Errorf("%s: answered %+v", name, e)
			}
			same(t, name, h.get(name).Port, port)
		})
	}
	wg.Wait()
	same(t, "how many", len(h.names("")), crowd)
	ids := map[string]bool{}
	for _, b := range decode(t, []byte(h.all())).Backends {
		ids[b.ID] = true
	}
	same(t, "how many ids", len(ids), crowd)
	same(t, "what is stored", h.stored(), h.all())
}

// Registrations of one name wait for one another: they don't try again and
// again.
func TestConcurrentRegistrationsOfOneName(t *testing.T) {
	t.Parallel()
	store := &meddledStore{Store: memory(t)}
	var tries atomic.Int64
	store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
		tries.Add(1)
		return store.Store.Apply(ctx, writes...)
	}
	h := over(t, store)
	var wg sync.WaitGroup
	ids := make([]string, crowd)
	for i := range crowd {
		wg.Go(func() {
			e := h.register(object("name", "one", "host", "h", "port", i+1))
			same(t, "the port", e.Port, i+1)
			ids[i] = e.ID
		})
	}
	wg.Wait()
	same(t, "tries", tries.Load(), int64(crowd))
	got := h.get("one")
	for i, id := range ids {
		if id != got.ID {
			t.Fatalf("%d was answered the id %s, and the entry has %s", i, id, got.ID)
		}
	}
	same(t, "listed", h.names(""), []string{"one"})
	same(t, "what is stored", h.stored(), h.all())
}

// Changes to different fields at once all stay.
func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.registerNames("a")
	var wg sync.WaitGroup
	for _, given := range []string{`"host": "h2"`, `"port": 2`, `"protocol": "wss"`, `"description": "d"`, `"namespace": "n"`} {
		for range 10 {
			wg.Go(func() { h.do("update", `{"name": "a", `+given+`}`) })
			wg.Go(func() { h.do("ping", `{"name": "a"}`) })
		}
	}
	wg.Wait()
	got := h.get("a")
	if got.Host != "h2" || got.Port != 2 || got.Protocol != "wss" || got.LastSeen == nil ||
		got.Description == nil || *got.Description != "d" || got.Namespace == nil || *got.Namespace != "n" {
		t.Errorf("got %v", got)
	}
}

func TestConflictsAreRetried(t *testing.T) {
	t.Parallel()
	store := &meddledStore{Store: memory(t)}
	h := over(t, store)
	h.registerNames("a")
	conflicts := 0
	store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
		if conflicts++; conflicts%4 != 0 {
			return storage.Change{}, fmt.Errorf("storing: %w", storage.ErrConflict)
		}
		return store.Store.Apply(ctx, writes...)
	}
	for _, params := range []string{`{"name": "a", "port": 2}`, `{"name": "a", "port": 3}`} {
		if e := h.do("update", params); e.Type != "backend_updated" {
			t.Errorf("update %s: answered %+v", params, e)
		}
	}
	h.registerNames("b")
	h.do("deregister", `{"name": "b"}`)
	same(t, "tries", conflicts, 16)
	same(t, "listed", h.names(`{"active_only": false}`), []string{"b", "a"})
}

// Somebody else changes the entry after we have read it and before our write.
func TestWritesRespectConcurrentChanges(t *testing.T) {
	t.Parallel()
	store := &meddledStore{Store: memory(t)}
	h := over(t, store)
	const put, deleted = false, true
	replaced := func(e event, after *storage.Backend) bool {
		return e.Type == "backend_registered" && after.ID == "id of "+after.Name && after.Host == "ours" && *after.Description == "d"
	}
	isGone := func(answer string) func(e event, after *storage.Backend) bool {
		return func(e event, after *storage.Backend) bool { return e.Type == answer && !e.Success && after == nil }
	}
	for i, test := range []struct {
		name   string
		ours   bool // that the entry was there before
		theirs bool // what they do
		method string
		want   func(e event, after *storage.Backend) bool // of the entry that is stored in the end
	}{
		{"register over a new entry", false, put, "register", replaced},
		{"register over a changed entry", true, put, "register", replaced},
		{"register over a deleted entry", true, deleted, "register", func(e event, after *storage.Backend) bool {
			return e.Type == "backend_registered" && after.Host == "ours" && after.LastSeen == 0
		}},
		{"update of a changed entry", true, put, "update", func(e event, after *storage.Backend) bool {
			return e.Type == "backend_updated" && after.Port == 9 && after.Host == "theirs" && *after.Description == "d"
		}},
		{"update of a deleted entry", true, deleted, "update", isGone("error")},
		{"ping of a changed entry", true, put, "ping", func(e event, after *storage.Backend) bool {
			return e.Success && after.Active() && after.Host == "theirs"
		}},
		{"ping of a deleted entry", true, deleted, "ping", isGone("ping")},
		{"delete of a changed entry", true, put, "delete", func(e event, after *storage.Backend) bool {
			return e.Type == "backend_deleted" && after == nil
		}},
		{"delete of a deleted entry", true, deleted, "delete", isGone("error")},
	} {
		name := fmt.Sprint("n", i)
		store.apply = nil
		if test.ours {
			h.registerNames(name)
		}
		if test.method == "ping" { // one that is only seen is not written
			h.do("deregister", object("name", name))
		}
		var once sync.Once
		store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
			once.Do(func() {
				b := theirs(name)
				b.Description = new("d")
				if _, err := store.Store.Apply(ctx, storage.Write{Backend: b, Delete: test.theirs}); err != nil {
					t.Error(err)
				}
			})
			return store.Store.Apply(ctx, writes...)
		}
		params := object("name", name, "port", 9)
		if test.method == "register" {
			params = object("name", name, "host", "ours", "port", 9)
		}
		e := h.do(test.method, params)
		var after *storage.Backend
		if b, err := store.Store.Get(t.Context(), name); err == nil {
			after = &b
		}
		if !test.want(e, after) {
			t.Errorf("%s: answered %+v, and there is %+v", test.name, e, after)
		}
		if e.Type == "backend_registered" || e.Type == "backend_updated" {
			same(t, test.name+": the next read", h.get(name), *e.Backend)
		}
	}
}

// What a store says of its failure is for the log, not for the caller.
func TestStoreErrorsAreHiddenFromCallers(t *testing.T) {
	t.Parallel()
	secret := errors.New("disk /secret/registry.db is on fire")
	store := &meddledStore{Store: memory(t)}
	source := newSource(storage.SourceFile)
	h := over(t, store, registry.WithSource(source))
	h.registerNames("a", "gone")
	h.do("deregister", `{"name": "gone"}`)
	before := h.all()
	source.list(listed("listed"))
	fail := func(context.Context, []storage.Write) (storage.Change, error) { return storage.Change{}, secret }
	conflictFirst := func(context.Context, []storage.Write) (storage.Change, error) {
		return storage.Change{}, storage.ErrConflict
	}
	for name, apply := range map[string]func(context.Context, []storage.Write) (storage.Change, error){
		"a write fails":                   fail,
		"the read after a conflict fails": conflictFirst,
		"the context of the store has ended": func(context.Context, []storage.Write) (storage.Change, error) {
			return storage.Change{}, context.Canceled
		},
	} {
		store.apply = apply
		store.get = func(context.Context, string) (storage.Backend, error) { return storage.Backend{}, secret }
		store.list = func(context.Context) ([]storage.Backend, storage.Position, error) {
			return nil, storage.Position{}, secret
		}
		for method, params := range map[string]string{
			"register":   `{"name": "b", "host": "h", "port": 1}`,
			"update":     `{"name": "a", "port": 2}`,
			"ping":       `{"name": "gone"}`,
			"deregister": `{"name": "a"}`,
			"delete":     `{"name": "a"}`,
			"reload":     ``,
		} {
			if name == "the read after a conflict fails" && method == "delete" {
				continue // it has no condition
			}
			a := h.call(context.Background(), method, params)
			if a.refused == nil || a.refused.Message == "" || strings.Contains(a.refused.Message, "secret") {
				t.Errorf("%s, %s: answered %s, refused %+v", name, method, a.content, a.refused)
			}
		}
	}
	if !strings.Contains(h.log.String(), "is on fire") {
		t.Errorf("the log has no cause: %s", h.log)
	}
	same(t, "listed", h.all(), before)
}

func TestNewFailsWhereTheStoreDoes(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	store := &meddledStore{Store: memory(t)}
	store.list = func(context.Context) ([]storage.Backend, storage.Position, error) {
		return nil, storage.Position{}, broken
	}
	if _, err := registry.New(context.Background(), store); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}

// After Close reads are answered still, writes only while the store is open.
func TestReadsAfterClose(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.registerNames("a")
	h.close()
	h.close()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, "listed", h.names(""), []string{"a"})
	if a := h.call(context.Background(), "register", `{"name": "b", "host": "h", "port": 1}`); a.refused == nil {
		t.Errorf("registered %s", a.content)
	}
	same(t, "listed", h.names(""), []string{"a"})
}
