// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// listed is a backend as a source lists it.
func listed(name string) storage.Backend {
	return storage.Backend{Name: name, Host: "file.example", Port: 4444, Protocol: "wss", Source: storage.SourceFile}
}

func withPort(port int, b storage.Backend) storage.Backend {
	b.Port = port
	return b
}

func withNamespace(namespace string, b storage.Backend) storage.Backend {
	b.Namespace = &namespace
	return b
}

func (h *harness) reload(want int) {
	h.t.Helper()
	same(h.t, "reload", h.do("reload", ``), event{Type: "reloaded", Count: want})
}

func TestSourceIsLoadedAtTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := later()
		b := listed("b")
		b.Description, b.Namespace = new("d"), new("")
		_, option := withFile(listed("a"), b, listed("c"))
		h := open(t, option)
		got := h.get("b")
		same(t, "got", got, entry{
			ID: got.ID, Name: "b", Host: "file.example", Port: 4444, Protocol: "wss", Description: new("d"), Namespace: new(""),
			Source: "file", Active: true, RegisteredAt: now, CreatedAt: now, UpdatedAt: now, Health: "unknown",
		})
		same(t, "listed in the order of the source", h.names(""), []string{"a", "b", "c"})
		if got.ID == "" || got.ID == h.get("a").ID {
			t.Errorf("the id is %q", got.ID)
		}
	})
}

func TestSourceAddsChangesDropsAndBringsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, option := withFile(listed("kept"), listed("changed"), listed("dropped"))
		h := open(t, option)
		kept, changed, dropped := h.get("kept"), h.get("changed"), h.get("dropped")

		before := h.all()
		later()
		h.reload(0)
		same(t, "after a reload of the same", h.all(), before)

		now := later()
		different := withPort(5, listed("changed"))
		different.Description = new("new")
		source.list(listed("kept"), different, listed("added"))
		h.reload(2)
		changed.Port, changed.Description, changed.RegisteredAt, changed.UpdatedAt = 5, new("new"), now, now
		dropped.Active, dropped.Reason, dropped.UpdatedAt = false, "dropped", now
		same(t, "kept", h.get("kept"), kept)
		same(t, "changed", h.get("changed"), changed)
		same(t, "dropped", h.get("dropped"), dropped)
		same(t, "active", h.names(""), []string{"added", "kept", "changed"})

		later()
		h.reload(0)
		same(t, "dropped stays", h.get("dropped"), dropped)

		now = later()
		source.list(listed("kept"), different, listed("added"), withPort(6, listed("dropped")))
		h.reload(1)
		dropped.Active, dropped.Reason, dropped.Port, dropped.RegisteredAt, dropped.UpdatedAt = true, "", 6, now, now
		same(t, "returned", h.get("dropped"), dropped)

		source.list()
		h.reload(0)
		same(t, "active after all were dropped", h.names(""), []string{})
		same(t, "all", len(h.names(`{"active_only": false}`)), 4)

		source.list(listed("kept"))
		h.reload(1) // that comes back as it was
		if !h.get("kept").Active {
			t.Error("kept is not active")
		}
	})
}

// Each thing that a source says is a change by itself.
func TestSourceChangesEachField(t *testing.T) {
	t.Parallel()
	source, option := withFile(listed("a"))
	h := open(t, option)
	b := listed("a")
	for _, test := range []struct {
		change func()
		seen   func(e entry) bool
	}{
		{func() { b.Host = "other" }, func(e entry) bool { return e.Host == "other" }},
		{func() { b.Port = 9 }, func(e entry) bool { return e.Port == 9 }},
		{func() { b.Protocol = "ws" }, func(e entry) bool { return e.Protocol == "ws" }},
		{func() { b.Description = new("") }, func(e entry) bool { return e.Description != nil }},
		{func() { b.Description = new("d") }, func(e entry) bool { return *e.Description == "d" }},
		{func() { b.Description = nil }, func(e entry) bool { return e.Description == nil }},
		{func() { b.Namespace = new("n") }, func(e entry) bool { return *e.Namespace == "n" }},
		{func() { b.Namespace = nil }, func(e entry) bool { return e.Namespace == nil }},
	} {
		test.change()
		source.list(b)
		h.reload(1)
		if got := h.get("a"); !test.seen(got) {
			t.Errorf("listed %+v, got %v", b, got)
		}
		h.reload(0)
	}
}

func TestSourceNeverChangesRegisteredEntries(t *testing.T) {
	t.Parallel()
	source, option := withFile()
	h := open(t, option)
	for _, test := range []struct {
		name   string
		before []string // calls before the source first names the entry
		listed bool     // that the source names it from the start
		after  []string // calls after that
	}{
		{"registered before", []string{`register {"name": "a", "host": "ours", "port": 1}`}, false, nil},
		{"registered by a hub itself", []string{`register {"name": "a", "host": "ours", "port": 1, "source": "auto"}`}, false, nil},
		{"registered over the source's", nil, true, []string{`register {"name": "a", "host": "ours", "port": 1}`}},
		{"the same as the source's", nil, true, []string{`register {"name": "a", "host": "file.example", "port": 4444, "protocol": "wss"}`}},
		{"updated", nil, true, []string{`update {"name": "a", "host": "ours"}`}},
		{"deregistered after", []string{`register {"name": "a", "host": "ours", "port": 1}`, `deregister {"name": "a"}`}, false, nil},
	} {
		h.do("delete", `{"name": "a"}`)
		for _, call := range test.before {
			h.doLine(call)
		}
		if test.listed {
			source.list(listed("a"))
			h.reload(1)
		}
		for _, call := range test.after {
			h.doLine(call)
		}
		want := h.get("a")
		if want.Source == "file" {
			t.Errorf("%s: the source is still %q", test.name, want.Source)
		}
		for range 2 {
			source.list(withPort(9, listed("a")))
			h.reload(0)
			same(t, test.name+": listed differently", h.get("a"), want)
			source.list()
			h.reload(0)
			same(t, test.name+": not listed", h.get("a"), want)
		}
	}
}

// doLine calls what "method params" says.
func (h *harness) doLine(line string) {
	h.t.Helper()
	method, params, _ := strings.Cut(line, " ")
	h.do(method, params)
}

func TestFailingSourceChangesNothing(t *testing.T) {
	t.Parallel()
	source, option := withFile(listed("a"), listed("b"))
	environment := newSource(storage.SourceEnv)
	h := open(t, option, registry.WithSource(environment))
	before := h.all()
	message := `backends.toml:12: backend "prod": port 70000 is not 1–65535`
	// The environment has news, but a load is whole or not at all.
	environment.list(listed("new"))
	source.fail(errors.New(message))
	for range 2 {
		same(t, "reload", h.do("reload", ``), event{Type: "error", Message: message})
		same(t, "listed", h.all(), before)
	}
	if !strings.Contains(h.log.String(), "backends.toml:12") {
		t.Errorf("the log is %q", h.log)
	}
	source.list(listed("a"), listed("b"))
	h.reload(1)
	same(t, "listed", h.names(""), []string{"new", "a", "b"})
}

func TestNewFailsWhereASourceDoes(t *testing.T) {
	t.Parallel()
	broken := errors.New("backends.toml:1: broken")
	source, option := withFile()
	source.fail(broken)
	if _, err := registry.New(context.Background(), memory(t), option); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}

// A reload beside registrations of the same names: what was registered wins.
func TestReloadDuringRegistrations(t *testing.T) {
	t.Parallel()
	source, option := withFile()
	h := open(t, option)
	const n = 50
	var wg sync.WaitGroup
	for round := range 5 {
		var backends []storage.Backend
		for i := range n {
			backends = append(backends, withPort(round+1, listed(fmt.Sprint("n", i))))
		}
		source.list(backends...)
		wg.Go(func() { h.do("reload", ``) })
		for i := range n {
			if i%5 == round {
				wg.Go(func() { h.do("register", object("name", fmt.Sprint("n", i), "host", "ours", "port", 99)) })
			}
		}
		wg.Wait()
	}
	for i := range n {
		if got := h.get(fmt.Sprint("n", i)); got.Host != "ours" || got.Port != 99 || got.Source != "manual" {
			t.Errorf("got %v", got)
		}
	}
}

// A name that somebody else deletes during a reload is added again.
func TestReloadRetriesAfterAConflict(t *testing.T) {
	t.Parallel()
	store := &meddledStore{Store: memory(t)}
	source, option := withFile(listed("a"), listed("b"))
	h := over(t, store, option)
	source.list(withPort(9, listed("a")), withPort(9, listed("b")))
	var once sync.Once
	store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
		once.Do(func() {
			remove(t, store.Store, "a")
		})
		return store.Store.Apply(ctx, writes...)
	}
	h.reload(2)
	same(t, "a", h.get("a").Port, 9)
	same(t, "b", h.get("b").Port, 9)
	same(t, "what is stored", h.stored(), h.all())
}

// A store that takes few writes at once gets a long list in several changes.
func TestLoadsAreSplitForAStoreThatTakesFewWrites(t *testing.T) {
	t.Parallel()
	var backends []storage.Backend
	for i := range 10 {
		backends = append(backends, listed(fmt.Sprint("n", i)))
	}
	source, option := withFile(backends...)
	store := &meddledStore{Store: memory(t), maxWrites: 3}
	h := over(t, store, option)
	same(t, "listed", len(h.names("")), 10)

	// In the middle of the next load somebody deletes a name.
	applied := 0
	store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
		if len(writes) > 3 {
			t.Errorf("%d writes at once", len(writes))
		}
		if applied++; applied == 2 {
			remove(t, store.Store, "n4")
		}
		return store.Store.Apply(ctx, writes...)
	}
	for i := range backends {
		backends[i].Port = 9
	}
	source.list(backends...)
	h.reload(10)
	for _, name := range h.names("") {
		same(t, name, h.get(name).Port, 9)
	}
	source.list(backends[:2]...)
	h.reload(0)
	same(t, "active", len(h.names("")), 2)
	same(t, "what is stored", h.stored(), h.all())
}

// The rest of a load is written by somebody else: what the load itself has written
// is visible all the same.
func TestPartOfALoadIsVisibleWhenTheRestIsThereAlready(t *testing.T) {
	t.Parallel()
	source, option := withFile(listed("a"), listed("b"))
	store := &meddledStore{Store: memory(t), maxWrites: 1}
	store.watch = late(store.Store, 50*time.Millisecond)
	h := over(t, store, option)
	applied := 0
	store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
		if applied++; applied == 2 {
			put(t, store.Store, writes[0].Backend)
			return storage.Change{}, storage.ErrConflict
		}
		return store.Store.Apply(ctx, writes...)
	}
	source.list(withPort(9, listed("a")), withPort(9, listed("b")))
	if _, err := h.registry.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, "the port of a", h.get("a").Port, 9)
	same(t, "tries", applied, 2)
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "registry.db")
		source, option := withFile(listed("file"), listed("overridden"), listed("dropped"), listed("dropped later"))
		first := over(t, openStore(t, path), option)
		first.register(fullRegistration)
		first.register(`{"name": "overridden", "host": "ours", "port": 1, "metadata": {"n": 1e300, "text": "☃"}}`)
		first.registerNames("pinged", "updated", "gone", "deleted")
		first.do("ping", `{"name": "pinged"}`)
		first.do("update", `{"name": "updated", "description": ""}`)
		first.do("deregister", `{"name": "gone"}`)
		first.do("delete", `{"name": "deleted"}`)
		source.list(listed("file"), listed("overridden"), listed("dropped later"))
		first.reload(0)
		before := first.all()
		first.close()
		if err := first.store.Close(); err != nil {
			t.Fatal(err)
		}

		later()
		second := over(t, openStore(t, path), option)
		same(t, "after a restart", second.all(), before)
		second.reload(0)
		same(t, "after a reload", second.all(), before)
		source.list(withPort(9, listed("file")), listed("overridden"), listed("dropped"))
		second.reload(2)
		same(t, "overridden", second.get("overridden").Host, "ours")
		for name, active := range map[string]bool{"file": true, "dropped": true, "dropped later": false, "gone": false} {
			same(t, name, second.get(name).Active, active)
		}
	})
}
