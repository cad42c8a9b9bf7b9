// SPDX-License-Identifier: AGPL-3.0-only

package storagetest

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// samples cover every field, what is nil against what is empty, and text that
// a careless store would spoil. A store keeps what it is given; rules are the
// business of who gives it.
func samples() []storage.Backend {
	full := backend("full")
	full.Host, full.Port, full.Protocol = "plexus.example.com", 65535, "wss"
	full.Description, full.Namespace, full.Version = text("Production — é ☃ 𝄞"), text("substrate"), text("1.2.3")
	full.Metadata = json.RawMessage("{\"b\": 1,\n \"a\":[1e300, \"\\u0000\", \"é\"], \"a\":0 }")
	full.Source = storage.SourceAuto
	full.RegisteredAt, full.LastSeen, full.CreatedAt, full.UpdatedAt = 1, 2, 3, 4
	full.LeaseID, full.LeaseSeconds = "lease", 30

	bare := storage.Backend{ID: "id of bare", Name: "bare"}

	empty := backend("empty")
	empty.Description, empty.Namespace, empty.Version = text(""), text(""), text("")
	empty.Metadata = json.RawMessage{}

	odd := backend("odd\x00name\n'\";-- \u202e")
	odd.ID = "\x00"
	odd.Host, odd.Port, odd.Protocol = "a\x00b", -1, "WS"
	odd.Description, odd.Namespace, odd.Version = text("\x00"), text("a\x00"), text("\x00b")
	odd.Metadata = json.RawMessage("not JSON\x00")
	odd.Source, odd.LeaseID, odd.AnswersAs = "elsewhere", "\x00lease", "\x00other"

	invalid := backend("\xff\xfe")
	invalid.Description = text("\xc3")
	invalid.Metadata = json.RawMessage("\xf0\x9f")

	large := backend("large")
	large.Description = text(strings.Repeat("☃", 100_000))
	large.Metadata = json.RawMessage(`{"x":"` + strings.Repeat("y", 1<<20) + `"}`)
	large.RegisteredAt, large.LastSeen = math.MaxInt64, math.MinInt64
	large.CreatedAt, large.UpdatedAt, large.LeaseSeconds = math.MinInt64, math.MaxInt64, math.MaxInt64

	nameless := backend("")

	all := []storage.Backend{full, bare, empty, odd, invalid, large, nameless}
	for _, source := range []storage.Source{storage.SourceFile, storage.SourceManual, storage.SourceEnv} {
		for _, flag := range []bool{true, false} {
			b := backend(string(source))
			if flag {
				b = backend(string(source) + " set")
			}
			b.Source, b.Runtime, b.Adopted = source, flag, !flag
			if flag {
				b.Inactive = storage.ReasonExpired | storage.ReasonUnhealthy
			}
			all = append(all, b)
		}
	}
	return all
}

func testEmpty(t *testing.T, _ Harness, s storage.Store) {
	backends, revision := mustList(t, s)
	if len(backends) != 0 || revision.Revision < 0 {
		t.Errorf("listed %d backends at %v", len(backends), revision)
	}
	_, err := s.Get(testContext(t), "nobody")
	wantError(t, "get", err, storage.ErrNotFound)
	_, err = s.Apply(testContext(t), deletion("nobody"))
	wantError(t, "delete", err, storage.ErrNotFound)
	if _, now := mustList(t, s); now != revision {
		t.Errorf("nothing was changed, but the position went from %v to %v", revision, now)
	}
}

// putSamples returns them as they must come back.
func putSamples(t *testing.T, s storage.Store) []storage.Backend {
	var stored []storage.Backend
	_, start := mustList(t, s)
	for _, want := range samples() {
		given := want
		given.Revision = 4711 // is ignored
		got := mustPut(t, s, given)
		want.Revision = got.Revision
		wantBackend(t, got, want)
		stored = append(stored, want)
	}
	for i, change := range mustWatch(t, s, start, len(stored)) {
		wantBackend(t, *change.Entries[0].After, stored[i])
		if change.Revision != stored[i].Revision {
			t.Errorf("watched revision %d, want %d", change.Revision, stored[i].Revision)
		}
	}
	return stored
}

func wantStored(t *testing.T, s storage.Store, want []storage.Backend) {
	t.Helper()
	for _, b := range want {
		got, err := s.Get(testContext(t), b.Name)
		if err != nil {
			t.Errorf("get %q: %v", b.Name, err)
			continue
		}
		wantBackend(t, got, b)
	}
	byName := func(a, b storage.Backend) int { return strings.Compare(a.Name, b.Name) }
	want = slices.SortedFunc(slices.Values(want), byName)
	listed, _ := mustList(t, s)
	if len(listed) != len(want) {
		t.Fatalf("listed %d backends, want %d", len(listed), len(want))
	}
	for i := range want {
		wantBackend(t, listed[i], want[i])
	}
}

func testRoundTrip(t *testing.T, _ Harness, s storage.Store) {
	wantStored(t, s, putSamples(t, s))
}

func testRoundTripReopened(t *testing.T, h Harness, s storage.Store) {
	if h.Reopen == nil {
		t.Skip("the store does not outlive its Close")
	}
	stored := putSamples(t, s)
	s = h.Reopen(t, s)
	t.Cleanup(func() { _ = s.Close() })
	wantStored(t, s, stored)
}

func testReplace(t *testing.T, _ Harness, s storage.Store) {
	forms := slices.DeleteFunc(samples(), func(b storage.Backend) bool { return b.Name == "large" })
	for _, from := range forms {
		for _, to := range forms {
			from.Name, to.Name = "one", "one"
			mustPut(t, s, from)
			to.Revision = mustPut(t, s, to).Revision
			got, err := s.Get(testContext(t), "one")
			if err != nil {
				t.Fatal(err)
			}
			wantBackend(t, got, to)
		}
	}
	wantOne(t, s, "one")
}

func wantOne(t *testing.T, s storage.Store, name string) {
	t.Helper()
	listed, _ := mustList(t, s)
	if len(listed) != 1 || listed[0].Name != name {
		t.Errorf("listed %d backends, want %q alone", len(listed), name)
	}
}

func testListOrder(t *testing.T, _ Harness, s storage.Store) {
	names := []string{"b", "a", "B", "A", "é", "e", "z", "10", "2", "a\x00", "aa", "ä", "\xff", "Z", "_", "-"}
	for _, name := range names {
		mustPut(t, s, backend(name))
	}
	slices.Sort(names)
	listed, _ := mustList(t, s)
	var got []string
	for _, b := range listed {
		got = append(got, b.Name)
	}
	if !slices.Equal(got, names) {
		t.Errorf("listed %q, want %q", got, names)
	}
}

func testDelete(t *testing.T, _ Harness, s storage.Store) {
	full := samples()[0]
	full.Revision = mustPut(t, s, full).Revision
	mustPut(t, s, backend("other"))
	deleted := mustApply(t, s, deletion("full"))
	if len(deleted.Entries) != 1 || deleted.Entries[0].After != nil || deleted.Revision <= full.Revision {
		t.Errorf("the deletion answers %+v", deleted)
	}
	wantBackend(t, *deleted.Entries[0].Before, full)

	seen := mustWatch(t, s, at(full.Revision), 2)[1]
	wantBackend(t, *seen.Entries[0].Before, full)
	if seen.Entries[0].After != nil || seen.Revision != deleted.Revision {
		t.Errorf("watched revision %d and %+v", seen.Revision, seen.Entries[0])
	}
	_, err := s.Get(testContext(t), "full")
	wantError(t, "get", err, storage.ErrNotFound)
	_, err = s.Apply(testContext(t), deletion("full"))
	wantError(t, "delete again", err, storage.ErrNotFound)
	wantOne(t, s, "other")

	// The name, and the ID, may come back.
	full.Revision = mustPut(t, s, full).Revision
	if full.Revision <= deleted.Revision {
		t.Errorf("revision %d is not above the deletion's %d", full.Revision, deleted.Revision)
	}
}

func testNoSharing(t *testing.T, _ Harness, s storage.Store) {
	_, start := mustList(t, s)
	spoil := func(b storage.Backend) {
		*b.Description, b.Metadata[1] = "spoilt", 'X'
	}
	want := func() storage.Backend {
		b := backend("a")
		b.Description, b.Metadata = text("good"), json.RawMessage(`{"a":1}`)
		return b
	}
	given := want()
	intact := want()
	intact.Revision = mustPut(t, s, given).Revision
	spoil(given)
	got, err := s.Get(testContext(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	wantBackend(t, got, intact)
	spoil(got)
	listed, _ := mustList(t, s)
	wantBackend(t, listed[0], intact)
	spoil(listed[0])
	wantBackend(t, *mustWatch(t, s, start, 1)[0].Entries[0].After, intact)
	listed, _ = mustList(t, s)
	wantBackend(t, listed[0], intact)
}
