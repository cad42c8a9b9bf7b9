// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// at is a position of a caller that knows a revision only.
func at(revision int64) storage.Position { return storage.Position{Revision: revision} }

// changeOf makes a change that takes so many bytes.
func changeOf(revision int64, bytes int) storage.Change {
	b := storage.Backend{Metadata: make([]byte, bytes-backendBytes)}
	return storage.Change{Revision: revision, Entries: []storage.EntryChange{{After: &b}}}
}

// keeping is a history that keeps n changes, and begins after revision.
func keeping(n int, revision int64) *history {
	return newHistory(n*backendBytes, meta{Position: at(revision), origin: revision})
}

// publishRevisions publishes changes of these revisions together.
func publishRevisions(h *history, revisions ...int64) {
	var changes []storage.Change
	for _, revision := range revisions {
		h.announce(revision)
		changes = append(changes, changeOf(revision, backendBytes))
	}
	h.publish(changes)
}

// collect takes up to n of what a watch yields: revisions, and then an error.
func collect(sequence iter.Seq2[storage.Change, error], n int) (revisions []int64, err error) {
	for change, err := range sequence {
		if err != nil {
			return revisions, err
		}
		if revisions = append(revisions, change.Revision); len(revisions) == n {
			break
		}
	}
	return revisions, nil
}

func TestHistoryKeepsTheLast(t *testing.T) {
	h := keeping(4, 10)
	if _, err := collect(h.watch(t.Context(), at(9)), 1); !errors.Is(err, storage.ErrCompacted) {
		t.Errorf("before anything was published: %v", err)
	}
	publishRevisions(h, 11, 12)
	publishRevisions(h, 15, 16, 17) // a failed commit has used 13 and 14
	publishRevisions(h, 18)
	for _, test := range []struct {
		after int64
		want  []int64
		err   error
	}{
		{9, nil, storage.ErrCompacted},
		{10, nil, storage.ErrCompacted},
		{11, nil, storage.ErrCompacted},
		{12, []int64{15, 16, 17, 18}, nil},
		{13, []int64{15, 16, 17, 18}, nil},
		{16, []int64{17, 18}, nil},
		{17, []int64{18}, nil},
		{19, nil, storage.ErrCompacted},
	} {
		got, err := collect(h.watch(t.Context(), at(test.after)), max(len(test.want), 1))
		if fmt.Sprint(got) != fmt.Sprint(test.want) || !errors.Is(err, test.err) {
			t.Errorf("after %d: %v and %v, want %v and %v", test.after, got, err, test.want, test.err)
		}
	}
}

// Few large changes take the place of many small ones.
func TestHistoryIsBoundedInBytes(t *testing.T) {
	const small, maxBytes = backendBytes, 10_000
	for _, test := range []struct {
		name  string
		sizes []int // of the changes, from revision 1 on
		floor int64 // the first revision that may be watched after
	}{
		{"few", []int{1000, 1000, 1000}, 0},
		{"a large one drops small ones", []int{small, small, small, small, maxBytes - 2*small}, 2},
		{"small ones drop a large one", []int{maxBytes - small, small, small}, 1},
		{"one that is larger than all is kept", []int{small, small, 2 * maxBytes}, 2},
		{"and dropped for the next", []int{small, 2 * maxBytes, small}, 2},
		{"one after the other", []int{9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000}, 10},
	} {
		h := newHistory(maxBytes, meta{})
		for i, size := range test.sizes {
			revision := int64(i + 1)
			h.announce(revision)
			h.publish([]storage.Change{changeOf(revision, size)})
		}
		last := int64(len(test.sizes))
		got, err := collect(h.watch(t.Context(), at(test.floor)), int(last-test.floor))
		if int64(len(got)) != last-test.floor || got[0] != test.floor+1 || err != nil {
			t.Errorf("%s: %v and %v after %d", test.name, got, err, test.floor)
		}
		if test.floor == 0 {
			continue
		}
		if _, err := collect(h.watch(t.Context(), at(test.floor-1)), 1); !errors.Is(err, storage.ErrCompacted) {
			t.Errorf("%s: %v after %d, which was dropped", test.name, err, test.floor-1)
		}
	}
}

// One entry, written over and over with all the metadata it may have.
func TestStoreKeepsALimitedHistory(t *testing.T) {
	s := openTest(t)
	w := put("a")
	w.Backend.Metadata = append(append([]byte(`{"a":"`), make([]byte, 16<<10-8)...), `"}`...)
	const writes = 1200
	for range writes {
		mustEnqueue(t, s, w)
	}
	if _, err := s.Apply(t.Context(), put("b")); err != nil {
		t.Fatal(err)
	}
	if _, err := collect(s.Watch(t.Context(), at(0)), 1); !errors.Is(err, storage.ErrCompacted) {
		t.Errorf("from the beginning: %v", err)
	}
	if got, err := collect(s.Watch(t.Context(), at(writes-900)), 901); len(got) != 901 || err != nil {
		t.Errorf("the last 901: %d, %v", len(got), err)
	}
}

// A list may return a revision before its change is published: a watch after it
// is not told that it is compacted.
func TestHistoryWatchAfterAnAnnouncedRevision(t *testing.T) {
	h := keeping(4, 10)
	h.announce(12)
	next, stop := iter.Pull2(h.watch(t.Context(), at(12)))
	defer stop()
	published := make(chan struct{})
	go func() {
		defer close(published)
		publishRevisions(h, 11, 12)
		publishRevisions(h, 13)
	}()
	if change, err, _ := next(); change.Revision != 13 || err != nil {
		t.Errorf("watched revision %d, %v", change.Revision, err)
	}
	<-published
}

func TestHistorySlowWatch(t *testing.T) {
	h := keeping(4, 0)
	publishRevisions(h, 1)
	next, stop := iter.Pull2(h.watch(t.Context(), at(0)))
	defer stop()
	if change, err, _ := next(); change.Revision != 1 || err != nil {
		t.Fatalf("watched revision %d, %v", change.Revision, err)
	}
	publishRevisions(h, 2, 3, 4, 5) // as many as are kept
	for want := range int64(4) {
		if change, err, _ := next(); change.Revision != want+2 || err != nil {
			t.Fatalf("watched revision %d, %v; want %d", change.Revision, err, want+2)
		}
	}
	publishRevisions(h, 6, 7, 8, 9, 10) // one more than that
	if change, err, ok := next(); !errors.Is(err, storage.ErrCompacted) {
		t.Errorf("watched revision %d, %v, %v", change.Revision, err, ok)
	}
	if _, _, ok := next(); ok {
		t.Error("yields after the error")
	}
}
