// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/plexus-go/plexus/storage"
)

// theirs is an entry that somebody else stores.
func theirs(name string) storage.Backend {
	return storage.Backend{
		ID: "id of " + name, Name: name, Host: "theirs", Port: 1, Protocol: "ws", Source: storage.SourceManual,
		Runtime: true, RegisteredAt: 1, CreatedAt: 1, UpdatedAt: 1,
	}
}

func put(t *testing.T, store storage.Store, b storage.Backend) {
	t.Helper()
	if _, err := store.Apply(context.Background(), storage.Write{Backend: b}); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, store storage.Store, name string) {
	t.Helper()
	if _, err := store.Apply(context.Background(), storage.Write{Backend: storage.Backend{Name: name}, Delete: true}); err != nil {
		t.Fatal(err)
	}
}

func TestChangesOfOthersAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.registerNames("ours")
		put(t, h.store, theirs("theirs"))
		synctest.Wait()
		same(t, "after a put", h.names(""), []string{"ours", "theirs"})

		changed := theirs("theirs")
		changed.Port, changed.Inactive = 2, storage.ReasonUnknown
		put(t, h.store, changed)
		synctest.Wait()
		same(t, "after a change", h.get("theirs").Port, 2)
		same(t, "after a change", h.names(""), []string{"ours"})

		h.registerNames("theirs")
		if got := h.get("theirs"); got.ID != "id of theirs" || !got.Active {
			t.Errorf("registered over it: %v", got)
		}
		remove(t, h.store, "theirs")
		remove(t, h.store, "ours")
		synctest.Wait()
		same(t, "after deletions", h.names(`{"active_only": false}`), []string{})
		put(t, h.store, theirs("ours"))
		synctest.Wait()
		same(t, "after a new beginning", h.get("ours").ID, "id of ours")
	})
}

// overflow fills the history of a store with the puts of so many entries, so
// that everything before is forgotten.
func overflow(t *testing.T, store storage.Store) {
	t.Helper()
	for range 2 {
		writes := make([]storage.Write, overflowing)
		for i := range writes {
			writes[i].Backend = theirs(fmt.Sprint("n", i))
			writes[i].Backend.Metadata = json.RawMessage(metadataOfLength(120 << 10))
		}
		if _, err := store.Apply(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
}

const overflowing = 100

// compacted says so, once.
func compacted(yield func(storage.Change, error) bool) {
	yield(storage.Change{}, fmt.Errorf("watching: %w", storage.ErrCompacted))
}

func TestCompactedChangesAreListedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := memory(t)
		put(t, inner, theirs("kept"))
		put(t, inner, theirs("gone"))
		// The registry watches only when more has happened than the store keeps.
		release := make(chan struct{})
		store := &meddledStore{Store: inner}
		store.watch = func(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error] {
			<-release
			return inner.Watch(ctx, after)
		}
		h := over(t, store)
		remove(t, inner, "gone")
		overflow(t, inner)
		same(t, "how many are followed", len(h.names("")), 2)
		close(release)
		synctest.Wait()
		same(t, "how many", len(h.names("")), 1+overflowing)
		if b := h.lookup("gone"); b != nil {
			t.Errorf("got %v", b)
		}
		put(t, inner, theirs("later"))
		synctest.Wait()
		same(t, "followed again", h.get("later").Host, "theirs")
		if strings.Contains(h.log.String(), "ERROR") {
			t.Errorf("the log is %s", h.log)
		}
	})
}

// While the registry lists anew, calls go on. What they have written is not in
// the list, and must be visible when they are answered all the same.
func TestWritesDuringAListBecomeVisible(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := memory(t)
		store := &meddledStore{Store: inner}
		listing, listed, answer := 0, make(chan struct{}), make(chan struct{})
		store.list = func(ctx context.Context) ([]storage.Backend, storage.Position, error) {
			backends, revision, err := inner.List(ctx)
			if listing++; listing == 2 {
				close(listed)
				<-answer
			}
			return backends, revision, err
		}
		watching := 0
		store.watch = func(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error] {
			if watching++; watching == 1 {
				return compacted
			}
			return inner.Watch(ctx, after)
		}
		for _, name := range []string{"changed", "deleted", "again"} {
			put(t, inner, theirs(name))
		}
		h := over(t, store)
		<-listed
		answerOnce := sync.OnceFunc(func() { close(answer) })
		store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
			defer answerOnce() // the first write is made before the list is answered
			return inner.Apply(ctx, writes...)
		}
		var writers sync.WaitGroup
		writers.Go(func() {
			h.registerNames("new")
			same(t, "new", h.get("new").Host, "h")
		})
		writers.Go(func() {
			h.do("update", `{"name": "changed", "port": 9}`)
			same(t, "changed", h.get("changed").Port, 9)
		})
		h.do("delete", `{"name": "deleted"}`)
		same(t, "deleted", h.lookup("deleted"), (*entry)(nil))
		h.do("delete", `{"name": "again"}`)
		h.registerNames("again")
		same(t, "again", h.get("again").Host, "h")
		writers.Wait()
		same(t, "what is stored", h.stored(), h.all())
		same(t, "how often it was listed", listing, 3) // the last time by the registry that shows what is stored
	})
}

func TestAStoreThatFailsIsFollowedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := memory(t)
		store := &meddledStore{Store: inner}
		broken := errors.New("the network is down")
		watching, listing := 0, 0
		store.watch = func(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error] {
			switch watching++; watching {
			case 1:
				return func(yield func(storage.Change, error) bool) { yield(storage.Change{}, broken) }
			case 2, 3:
				return compacted
			}
			return inner.Watch(ctx, after)
		}
		store.list = func(ctx context.Context) ([]storage.Backend, storage.Position, error) {
			if listing++; listing == 2 {
				return nil, storage.Position{}, broken
			}
			return inner.List(ctx)
		}
		h := over(t, store)
		put(t, inner, theirs("a"))
		for range 3 {
			later()
		}
		synctest.Wait()
		same(t, "listed", h.names(""), []string{"a"})
		same(t, "how often it was watched", watching, 4)
		if strings.Count(h.log.String(), "the network is down") != 2 {
			t.Errorf("the log is %s", h.log)
		}
		h.close() // nothing is left behind, or synctest says so
	})
}

func TestAClosedStoreIsNotFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.registerNames("a")
		if err := h.store.Close(); err != nil {
			t.Fatal(err)
		}
		later()
		same(t, "listed", h.names(""), []string{"a"})
		if strings.Count(h.log.String(), "no longer follows") != 1 {
			t.Errorf("the log is %s", h.log)
		}
	})
}

// oddities are what another program may store though today's rules refuse it,
// and how they are shown.
var oddities = []struct {
	name string
	odd  func(b *storage.Backend)
	want func(e *entry)
}{
	{"a port of 0", func(b *storage.Backend) { b.Port = 0 }, func(e *entry) { e.Port = 0 }},
	{"a port that is none", func(b *storage.Backend) { b.Port = 70_000 }, func(e *entry) { e.Port = 0 }},
	{"a negative port", func(b *storage.Backend) { b.Port = -1 }, func(e *entry) { e.Port = 0 }},
	{"a protocol", func(b *storage.Backend) { b.Protocol = "HTTP" }, func(e *entry) { e.Protocol = "HTTP" }},
	{"no id", func(b *storage.Backend) { b.ID = "" }, func(e *entry) { e.ID = "" }},
	{"no id either", func(b *storage.Backend) { b.ID = "" }, func(e *entry) { e.ID = "" }},
	{"text as metadata", func(b *storage.Backend) { b.Metadata = json.RawMessage(`pid 7`) },
		func(e *entry) { e.Metadata = json.RawMessage(`"pid 7"`) }},
	{"an array as metadata", func(b *storage.Backend) { b.Metadata = json.RawMessage(`[1]`) },
		func(e *entry) { e.Metadata = json.RawMessage(`"[1]"`) }},
	{"no text as metadata", func(b *storage.Backend) { b.Metadata = json.RawMessage(``) },
		func(e *entry) { e.Metadata = json.RawMessage(`""`) }},
	{"half an object as metadata", func(b *storage.Backend) { b.Metadata = json.RawMessage(`{"a":`) },
		func(e *entry) { e.Metadata = json.RawMessage(`"{\"a\":"`) }},
	{"metadata with a member twice", func(b *storage.Backend) { b.Metadata = json.RawMessage(`{"a":1,"a":2}`) },
		func(e *entry) { e.Metadata = json.RawMessage(`"{\"a\":1,\"a\":2}"`) }},
	{"metadata with half a surrogate", func(b *storage.Backend) { b.Metadata = json.RawMessage(`{"a":"\ud800"}`) },
		func(e *entry) { e.Metadata = json.RawMessage(`"{\"a\":\"\\ud800\"}"`) }},
	{"metadata over the bound", func(b *storage.Backend) { b.Metadata = json.RawMessage(metadataOfLength(100_000)) },
		func(e *entry) { e.Metadata = json.RawMessage(metadataOfLength(100_000)) }},
	{"metadata that is not UTF-8", func(b *storage.Backend) { b.Metadata = json.RawMessage("{\"a\":\"\xff\"}") },
		func(e *entry) { e.Metadata = json.RawMessage("\"{\\\"a\\\":\\\"\ufffd\\\"}\"") }},
	{"a host that is not UTF-8", func(b *storage.Backend) { b.Host = "h\xff" }, func(e *entry) { e.Host = "h\ufffd" }},
	{"a description that is not UTF-8", func(b *storage.Backend) { b.Description = new("\xc3(") },
		func(e *entry) { e.Description = new("\ufffd(") }},
}

// Odd entries are shown as well as can be, and hide nothing else. Calls change
// what they are about, and no more.
func TestOddEntriesAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		followed := open(t)
		var want []entry
		for _, o := range oddities {
			b := theirs(o.name)
			o.odd(&b)
			put(t, followed.store, b)
			e := entry{
				ID: "id of " + o.name, Name: o.name, Host: "theirs", Port: 1, Protocol: "ws", Source: "manual", Active: true,
				RegisteredAt: 1, CreatedAt: 1, UpdatedAt: 1, Health: "unknown",
			}
			o.want(&e)
			want = append(want, e)
		}
		synctest.Wait()
		listed := over(t, followed.store)
		same(t, "listed", listed.all(), followed.all())
		same(t, "how many", len(listed.names("")), len(oddities))
		for i, o := range oddities {
			same(t, o.name, listed.get(o.name), want[i])
		}

		now := later()
		for i, o := range oddities {
			if e := listed.do("ping", object("name", o.name)); !e.Success {
				t.Errorf("ping: %+v", e)
			}
			want[i].LastSeen = &now
			same(t, o.name+", pinged", listed.get(o.name), want[i])
			e := listed.do("update", object("name", o.name, "namespace", "n"))
			want[i].Namespace, want[i].UpdatedAt = new("n"), now
			same(t, o.name+", updated", *e.Backend, want[i])
		}
		for i, o := range oddities { // none has taken another's place
			same(t, o.name+", in the end", listed.get(o.name), want[i])
		}
		synctest.Wait()
		same(t, "followed", followed.all(), listed.all())
		for _, o := range oddities {
			e := listed.do("register", object("name", o.name, "host", "h", "port", 2, "description", "d", "metadata", struct{}{}))
			if e.Backend.Port != 2 || e.Backend.Host != "h" || string(e.Backend.Metadata) != "{}" {
				t.Errorf("registered anew: %v", e.Backend)
			}
		}
	})
}

// An entry whose name would be refused today can be read, changed and removed.
func TestStoredInvalidNamesCanBeChangedAndDeleted(t *testing.T) {
	store := memory(t)
	const name = "alpha\u3164"
	put(t, store, theirs(name))
	h := over(t, store)
	same(t, "listed", h.names(""), []string{name})
	same(t, "host", h.get(name).Host, "theirs")
	if e := h.do("ping", object("name", name)); !e.Success {
		t.Errorf("ping: %+v", e)
	}
	if e := h.do("update", object("name", name, "port", 2)); e.Backend == nil || e.Backend.Port != 2 {
		t.Errorf("update: %+v", e)
	}
	if a := h.call(t.Context(), "register", object("name", name, "host", "h", "port", 1)); a.refused == nil {
		t.Error("it was registered anew")
	}
	h.do("delete", object("name", name))
	same(t, "listed in the end", h.names(""), []string{})
}
