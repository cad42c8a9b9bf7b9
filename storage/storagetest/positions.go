// SPDX-License-Identifier: AGPL-3.0-only

package storagetest

import (
	"testing"

	"github.com/plexus-go/plexus/storage"
)

func testWatchHistory(t *testing.T, h Harness, s storage.Store) {
	mustPut(t, s, backend("a"))
	_, now := mustList(t, s)
	if now.History == "" {
		t.Error("the history has no id")
	}
	other := h.Open(t)
	t.Cleanup(func() { _ = other.Close() })
	mustPut(t, other, backend("a"))
	_, theirs := mustList(t, other)
	if theirs.History == now.History {
		t.Fatalf("two stores have the history %q", now.History)
	}
	mustPut(t, s, backend("b"))
	wantNames(t, mustWatch(t, s, now, 1), "b")
	for _, after := range []storage.Position{theirs, {History: "unknown", Revision: now.Revision}} {
		_, err := watch(testContext(t), s, after, 1)
		wantError(t, "watch of another history", err, storage.ErrCompacted)
	}
	if h.Reopen == nil {
		return
	}
	s = h.Reopen(t, s)
	t.Cleanup(func() { _ = s.Close() })
	_, err := watch(testContext(t), s, storage.Position{History: theirs.History, Revision: now.Revision + 1}, 1)
	wantError(t, "watch of another history after reopening", err, storage.ErrCompacted)
}

func testWatchWithoutHistory(t *testing.T, _ Harness, s storage.Store) {
	first := mustPut(t, s, backend("a")).Revision
	mustPut(t, s, backend("b"))
	wantNames(t, mustWatch(t, s, at(first), 1), "b")
}

func testSeen(t *testing.T, _ Harness, s storage.Store) {
	b := backend("a")
	b.LastSeen = 1700000005
	stored := mustPut(t, s, b)
	mustPut(t, s, backend("b"))
	_, start := mustList(t, s)
	if err := s.Seen(testContext(t), map[string]int64{"a": 1700000004, "b": 1700000009, "unknown": 1}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(testContext(t), "a")
	wantError(t, "get", err, nil)
	wantBackend(t, got, stored) // it was seen later
	listed, now := mustList(t, s)
	if now != start || len(listed) != 2 || listed[1].LastSeen != 1700000009 {
		t.Errorf("at %v, after %v: %+v", now, start, listed)
	}
	if err := s.Seen(testContext(t), nil); err != nil {
		t.Error(err)
	}
	// Who has read the backend before has seen its last change.
	mustApply(t, s, storage.Write{Backend: stored, IfUnchanged: true})
	wantNames(t, mustWatch(t, s, start, 1), "a")
}

func testSeenReopened(t *testing.T, h Harness, s storage.Store) {
	if h.Reopen == nil {
		t.Skip("the store does not outlive its Close")
	}
	mustPut(t, s, backend("a"))
	if err := s.Seen(testContext(t), map[string]int64{"a": 1700000009}); err != nil {
		t.Fatal(err)
	}
	s = h.Reopen(t, s)
	t.Cleanup(func() { _ = s.Close() })
	got, err := s.Get(testContext(t), "a")
	wantError(t, "get", err, nil)
	if got.LastSeen != 1700000009 {
		t.Errorf("last seen %d", got.LastSeen)
	}
}
