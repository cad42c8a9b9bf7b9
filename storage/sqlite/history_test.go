// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// publishRevisions publishes changes of these revisions, as one batch.
func publishRevisions(h *history, revisions ...int64) {
	var batch []*request
	for _, revision := range revisions {
		h.announce(revision)
		batch = append(batch, &request{changes: []storage.Change{{Revision: revision}}})
	}
	h.publish(batch)
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
	h := newHistory(4, 10)
	publishRevisions(h, 11, 12)
	publishRevisions(h, 15, 16, 17) // 13 and 14 were used up by a failed commit
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
		got, err := collect(h.watch(t.Context(), test.after), max(len(test.want), 1))
		if fmt.Sprint(got) != fmt.Sprint(test.want) || !errors.Is(err, test.err) {
			t.Errorf("after %d: %v and %v, want %v and %v", test.after, got, err, test.want, test.err)
		}
	}
}

// Few large changes take the place of many small ones.
func TestHistoryIsBoundedInBytes(t *testing.T) {
	large := func(revision int64, size int) *request {
		return &request{changes: []storage.Change{{Revision: revision, Backend: storage.Backend{Metadata: make([]byte, size)}}}}
	}
	const most = 10 * 2000
	for _, test := range []struct {
		name  string
		sizes []int // of the changes, from revision 1 on
		floor int64 // the first revision that may be watched after
	}{
		{"few", []int{1000, 1000, 1000}, 0},
		{"small ones make place for a large one", []int{0, 0, 0, 0, most - 2*changeBytes}, 3},
		{"a large one makes place for small ones", []int{most - 2*changeBytes, 0, 0}, 1},
		{"one that is larger than all", []int{0, 0, 2 * most}, 2},
		{"and is dropped for the next", []int{0, 2 * most, 0}, 2},
		{"more than there is place for, around the ring", []int{9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000}, 9},
	} {
		h := newHistory(8, 0)
		h.most = most
		for i, size := range test.sizes {
			revision := int64(i + 1)
			h.announce(revision)
			h.publish([]*request{large(revision, size)})
			kept := 0
			for _, change := range h.ring {
				if change.Revision != 0 {
					kept += bytesOf(change)
				}
			}
			if kept != h.bytes || kept > most && h.next-h.first > 1 {
				t.Errorf("%s: %d bytes are kept after change %d, counted are %d, allowed %d", test.name, kept, i+1, h.bytes, most)
			}
		}
		last := int64(len(test.sizes))
		got, err := collect(h.watch(t.Context(), test.floor), int(last-test.floor))
		if int64(len(got)) != last-test.floor || got[0] != test.floor+1 || err != nil {
			t.Errorf("%s: %v and %v after %d", test.name, got, err, test.floor)
		}
		if test.floor == 0 {
			continue
		}
		if _, err := collect(h.watch(t.Context(), test.floor-1), 1); !errors.Is(err, storage.ErrCompacted) {
			t.Errorf("%s: %v after %d, which was dropped", test.name, err, test.floor-1)
		}
	}
}

// One entry, written over and over with all the metadata it may have.
func TestStoreKeepsNoMoreThanItsBytes(t *testing.T) {
	s := openTest(t)
	w := put("a")
	w.Backend.Metadata = append(append([]byte(`{"a":"`), make([]byte, storage.MaxMetadataBytes-8)...), `"}`...)
	writes := make([]storage.Write, 3000)
	for i := range writes {
		writes[i] = w
	}
	if _, err := s.Apply(t.Context(), writes...); err != nil {
		t.Fatal(err)
	}
	last := int64(len(writes))
	if _, err := collect(s.Watch(t.Context(), 0), 1); !errors.Is(err, storage.ErrCompacted) {
		t.Errorf("from the beginning: %v", err)
	}
	if got, err := collect(s.Watch(t.Context(), last-1000), 1000); len(got) != 1000 || err != nil {
		t.Errorf("the last thousand: %d, %v", len(got), err)
	}
}

// What a watcher that is not read has taken lives on when the history drops it.
func TestHistoryWatchersTakeLittleAtOnce(t *testing.T) {
	h := newHistory(200, 0)
	for revision := range int64(100) {
		h.announce(revision + 1)
		h.publish([]*request{{changes: []storage.Change{{Revision: revision + 1, Backend: storage.Backend{Metadata: make([]byte, 20<<10)}}}}})
	}
	chunk, _, err := h.read(nil, 0)
	if err != nil || len(chunk) == 0 || len(chunk) > chunkBytes/(20<<10)+1 {
		t.Errorf("%d changes of 20 KiB are taken at once, %v", len(chunk), err)
	}
	if got, err := collect(h.watch(t.Context(), 0), 100); len(got) != 100 || err != nil {
		t.Errorf("watched %d, %v", len(got), err)
	}
}

func TestHistoryIsEmptyAtFirst(t *testing.T) {
	h := newHistory(4, 10)
	if _, err := collect(h.watch(t.Context(), 9), 1); !errors.Is(err, storage.ErrCompacted) {
		t.Errorf("below the floor: %v", err)
	}
	publishRevisions(h, 11)
	if got, err := collect(h.watch(t.Context(), 10), 1); len(got) != 1 || err != nil {
		t.Errorf("from the floor: %v and %v", got, err)
	}
}

// A list may return a revision before it is published: no watcher may be told
// that it is compacted.
func TestHistoryWatchOfAnnounced(t *testing.T) {
	h := newHistory(4, 10)
	h.announce(12)
	next, stop := iter.Pull2(h.watch(t.Context(), 12))
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

func TestHistorySlowWatcher(t *testing.T) {
	h := newHistory(4, 0)
	publishRevisions(h, 1)
	next, stop := iter.Pull2(h.watch(t.Context(), 0))
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

func TestHistoryCloseDeliversTheRest(t *testing.T) {
	h := newHistory(200, 0)
	publishRevisions(h, 1)
	next, stop := iter.Pull2(h.watch(t.Context(), 0))
	defer stop()
	next()
	for revision := range int64(150) { // more than is copied at once
		publishRevisions(h, revision+2)
	}
	h.close()
	for want := range int64(150) {
		if change, err, _ := next(); change.Revision != want+2 || err != nil {
			t.Fatalf("watched revision %d, %v; want %d", change.Revision, err, want+2)
		}
	}
	if _, err, _ := next(); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("ends with %v", err)
	}
	if _, _, ok := next(); ok {
		t.Error("yields after the error")
	}
}

// A thousand watchers wait without a goroutine of the store's.
func TestHistoryManyWatchers(t *testing.T) {
	const watchers, changes = 1000, 20
	h := newHistory(changes, 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := runtime.NumGoroutine()
	var begun, group sync.WaitGroup
	begun.Add(watchers)
	errs := make([]error, watchers)
	publishRevisions(h, 1)
	for i := range watchers {
		group.Go(func() {
			last := int64(0)
			for change, err := range h.watch(ctx, 0) {
				if err != nil || change.Revision != last+1 {
					errs[i] = fmt.Errorf("revision %d after %d: %w", change.Revision, last, err)
					return
				}
				if last = change.Revision; last == 1 {
					begun.Done()
				}
				if last == changes {
					return
				}
			}
		})
	}
	begun.Wait()
	if extra := runtime.NumGoroutine() - before - watchers; extra > 0 {
		t.Errorf("%d goroutines more than watchers", extra)
	}
	for revision := range int64(changes - 1) {
		publishRevisions(h, revision+2)
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func TestWithHistory(t *testing.T) {
	for given, want := range map[int]int{-1: 1, 0: 1, 1: 1, 3: 3} {
		s := openTest(t, WithHistory(given))
		for i := range 5 {
			if _, err := s.Apply(t.Context(), put(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		oldest := int64(5 - want)
		if got, err := collect(s.Watch(t.Context(), oldest), want); len(got) != want || err != nil {
			t.Errorf("history %d: watched %v, %v", given, got, err)
		}
		if _, err := collect(s.Watch(t.Context(), oldest-1), 1); !errors.Is(err, storage.ErrCompacted) {
			t.Errorf("history %d: %v after revision %d", given, err, oldest-1)
		}
	}
}
