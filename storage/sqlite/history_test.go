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
