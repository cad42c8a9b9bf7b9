// SPDX-License-Identifier: AGPL-3.0-only

package storagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// Harness is how the suite gets at the store under test.
type Harness struct {
	// Open returns an empty store. The suite closes it. A watch of it must
	// replay at least the last 1,000 changes, and one Apply make at least 5
	// writes.
	Open func(t *testing.T) storage.Store
	// Reopen closes a store that Open has returned and opens it again with
	// what it holds. Nil for a store that holds nothing after Close.
	Reopen func(t *testing.T, s storage.Store) storage.Store
}

// Run tests every promise of the contract, each in a sub-test with a new store.
func Run(t *testing.T, h Harness) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, h Harness, s storage.Store)
	}{
		{"an empty store", testEmpty},
		{"every field survives", testRoundTrip},
		{"every field survives reopening", testRoundTripReopened},
		{"a put replaces every field", testReplace},
		{"a list is ordered by name", testListOrder},
		{"a deletion", testDelete},
		{"a store keeps no reference to what callers have", testNoSharing},
		{"conditions", testConditions},
		{"one apply is one change with one revision", testOneChange},
		{"a failed apply changes nothing", testAtomicity},
		{"a name is written once in a change", testDistinctNames},
		{"an apply makes as many writes as the store says", testMaxWrites},
		{"an apply without writes changes nothing", testNoWrites},
		{"a change has the former entries", testBefore},
		{"concurrent conditional updates lose nothing", testIncrements},
		{"a failed apply does not harm others", testNeighbours},
		{"revisions grow with every change", testRevisionsGrow},
		{"revisions grow over reopening", testRevisionsReopened},
		{"a list's revision belongs to it", testListRevision},
		{"a watch replays from the beginning", testWatchAll},
		{"a watch replays from the middle", testWatchMiddle},
		{"a watch from now sees what comes", testWatchCurrent},
		{"a watch yields every concurrent change once and whole", testWatchConcurrent},
		{"a watch after a list misses nothing", testListWatch},
		{"a watch of unknown revisions is compacted", testWatchCompacted},
		{"a watch after reopening", testWatchReopened},
		{"a watch of another history is compacted", testWatchHistory},
		{"a revision without a history is enough", testWatchWithoutHistory},
		{"to be seen is no change", testSeen},
		{"when a backend was seen survives reopening", testSeenReopened},
		{"a watch may be left and repeated", testWatchBreak},
		{"a watch ends with its context", testWatchContext},
		{"a watcher may use the store", testWatchReentrant},
		{"a context that is done writes nothing", testContextDone},
		{"closing ends watchers", testCloseWatchers},
		{"closing refuses later calls", testCloseRefuses},
		{"closing finishes what was begun", testCloseFinishes},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := h.Open(t)
			t.Cleanup(func() { _ = s.Close() })
			test.run(t, h, s)
		})
	}
}

// patience bounds every wait, so that a store that hangs fails a test.
const patience = 30 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// backend returns a plain one. Its ID belongs to the name.
func backend(name string) storage.Backend {
	return storage.Backend{
		ID: "id of " + name, Name: name, Host: "127.0.0.1", Port: 4444, Protocol: "ws",
		Source: storage.SourceManual, Runtime: true,
		RegisteredAt: 1700000000, CreatedAt: 1700000000, UpdatedAt: 1700000000,
	}
}

func text(s string) *string { return &s }

// put is an unconditional write.
func put(b storage.Backend) storage.Write { return storage.Write{Backend: b} }

func deletion(name string) storage.Write {
	return storage.Write{Backend: storage.Backend{Name: name}, Delete: true}
}

func mustApply(t *testing.T, s storage.Store, writes ...storage.Write) storage.Change {
	t.Helper()
	change, err := s.Apply(testContext(t), writes...)
	if err != nil {
		t.Fatalf("apply %+v: %v", writes, err)
	}
	return change
}

func mustPut(t *testing.T, s storage.Store, b storage.Backend) storage.Backend {
	t.Helper()
	return *mustApply(t, s, put(b)).Entries[0].After
}

func mustDelete(t *testing.T, s storage.Store, name string) int64 {
	t.Helper()
	return mustApply(t, s, deletion(name)).Revision
}

func mustList(t *testing.T, s storage.Store) ([]storage.Backend, storage.Position) {
	t.Helper()
	backends, at, err := s.List(testContext(t))
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return backends, at
}

// mustWatch returns the next n changes after a position.
func mustWatch(t *testing.T, s storage.Store, after storage.Position, n int) []storage.Change {
	t.Helper()
	changes, err := watch(testContext(t), s, after, n)
	if err != nil {
		t.Fatalf("watch after %v: %v", after, err)
	}
	if len(changes) != n {
		t.Fatalf("watch after %v ended with %d changes of %d", after, len(changes), n)
	}
	return changes
}

// at is a position of a caller that knows a revision only.
func at(revision int64) storage.Position { return storage.Position{Revision: revision} }

// watch collects n changes, or those before the watch ended.
func watch(ctx context.Context, s storage.Store, after storage.Position, n int) ([]storage.Change, error) {
	var changes []storage.Change
	for change, err := range s.Watch(ctx, after) {
		if err != nil {
			return changes, err
		}
		if changes = append(changes, change); len(changes) == n {
			break
		}
	}
	return changes, nil
}

// wantBackend compares with what pointers point to. Nil differs from empty.
func wantBackend(t *testing.T, got, want storage.Backend) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", show(got), show(want))
	}
}

func show(b storage.Backend) string {
	optional := func(s *string) string {
		if s == nil {
			return "nil"
		}
		return fmt.Sprintf("%q", *s)
	}
	metadata := "nil"
	if b.Metadata != nil {
		metadata = fmt.Sprintf("%q", string(b.Metadata))
	}
	shown := fmt.Sprintf(" description=%s namespace=%s version=%s metadata=%s",
		optional(b.Description), optional(b.Namespace), optional(b.Version), metadata)
	b.Description, b.Namespace, b.Version, b.Metadata = nil, nil, nil, json.RawMessage(nil)
	return fmt.Sprintf("%+v", b) + shown
}

func wantError(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want %v", doing, got, want)
	}
}
