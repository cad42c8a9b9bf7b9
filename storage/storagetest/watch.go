// SPDX-License-Identifier: AGPL-3.0-only

package storagetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// wantNames checks the names of changes: "-" stands before that of a deletion,
// "+" between those of one change.
func wantNames(t *testing.T, changes []storage.Change, want ...string) {
	t.Helper()
	var got []string
	for _, change := range changes {
		var names []string
		for _, e := range change.Entries {
			if e.After == nil {
				names = append(names, "-"+e.Name())
			} else {
				names = append(names, e.Name())
			}
		}
		got = append(got, strings.Join(names, "+"))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("watched %v, want %v", got, want)
	}
}

func testWatchAll(t *testing.T, _ Harness, s storage.Store) {
	_, start := mustList(t, s)
	mustPut(t, s, backend("a"))
	mustPut(t, s, backend("b"))
	mustDelete(t, s, "a")
	mustPut(t, s, backend("a"))
	wantNames(t, mustWatch(t, s, start, 4), "a", "b", "-a", "a")
	wantNames(t, mustWatch(t, s, start, 4), "a", "b", "-a", "a") // and again
}

func testWatchMiddle(t *testing.T, _ Harness, s storage.Store) {
	first := mustPut(t, s, backend("a")).Revision
	change := mustApply(t, s, put(backend("b")), storage.Write{Backend: backend("c"), Cause: "why"}, deletion("a"))
	if got := mustWatch(t, s, at(first), 1)[0].Entries[1].Cause; got != "why" || change.Entries[1].Cause != "why" {
		t.Errorf("the cause is %q when watched and %q when applied", got, change.Entries[1].Cause)
	}
	mustPut(t, s, backend("d"))
	wantNames(t, mustWatch(t, s, at(first), 2), "b+c+-a", "d")
	wantNames(t, mustWatch(t, s, at(change.Revision), 1), "d")
}

func testWatchCurrent(t *testing.T, _ Harness, s storage.Store) {
	mustPut(t, s, backend("old"))
	_, now := mustList(t, s)
	ctx := testContext(t)
	seen := make(chan string)
	go func() {
		defer close(seen)
		for change, err := range s.Watch(ctx, now) {
			if err != nil {
				return
			}
			select {
			case seen <- change.Entries[0].Name():
			case <-ctx.Done():
				return
			}
		}
	}()
	for i := range 20 {
		name := fmt.Sprint(i)
		mustPut(t, s, backend(name))
		if got := <-seen; got != name {
			t.Fatalf("watched %q, want %q", got, name)
		}
	}
}

func testWatchConcurrent(t *testing.T, _ Harness, s storage.Store) {
	const writers, watchers, each = 8, 4, 25
	_, start := mustList(t, s)
	ctx := testContext(t)
	answered := make([]map[int64]string, writers)
	seen := make([]map[int64]string, watchers)
	concurrently(t, writers+watchers, func(i int) error {
		if i >= writers {
			var err error
			seen[i-writers], err = watchInOrder(ctx, s, start, writers*each)
			return err
		}
		mine := map[int64]string{}
		answered[i] = mine
		for n := range each {
			a, b := fmt.Sprintf("%d-%d", i, n), fmt.Sprintf("%d-%d too", i, n)
			change, err := s.Apply(ctx, put(backend(a)), put(backend(b)))
			if err != nil {
				return err
			}
			mine[change.Revision] = a + "+" + b
		}
		return nil
	})
	want := map[int64]string{}
	for _, mine := range answered {
		maps.Copy(want, mine)
	}
	for i, got := range seen {
		if !maps.Equal(got, want) {
			t.Errorf("watcher %d saw %d changes that are not the %d answered", i, len(got), len(want))
		}
	}
}

// watchInOrder returns the names of n changes by revision, and checks their order.
func watchInOrder(ctx context.Context, s storage.Store, start storage.Position, n int) (map[int64]string, error) {
	changes, err := watch(ctx, s, start, n)
	if err != nil {
		return nil, err
	}
	after, seen := start.Revision, map[int64]string{}
	for _, change := range changes {
		if change.Revision <= after {
			return nil, fmt.Errorf("watched revision %d after %d", change.Revision, after)
		}
		after = change.Revision
		seen[change.Revision] = change.Entries[0].Name() + "+" + change.Entries[1].Name()
	}
	return seen, nil
}

// testListWatch keeps copies of the store, as a registry does, that begin at
// any moment while others write. In the end all copies must be alike.
func testListWatch(t *testing.T, _ Harness, s storage.Store) {
	const writers, copies, each = 4, 8, 30
	ctx := testContext(t)
	mustPut(t, s, backend("last"))
	kept := make([]map[string]int64, copies)
	written := make(chan struct{}, writers)
	concurrently(t, writers+copies+1, func(i int) error {
		switch {
		case i < writers:
			defer func() { written <- struct{}{} }()
			return churnNames(ctx, s, i, each)
		case i < writers+copies:
			var err error
			kept[i-writers], err = keepCopy(ctx, s)
			return err
		}
		for range writers {
			<-written
		}
		_, err := s.Apply(ctx, deletion("last"))
		return err
	})
	want := map[string]int64{}
	listed, _ := mustList(t, s)
	for _, b := range listed {
		want[b.Name] = b.Revision
	}
	for i, got := range kept {
		if !maps.Equal(got, want) {
			t.Errorf("copy %d holds %d backends that are not the %d stored", i, len(got), len(want))
		}
	}
}

// churnNames puts names of its own and deletes every other one again.
func churnNames(ctx context.Context, s storage.Store, worker, n int) error {
	for i := range n {
		name := fmt.Sprintf("%d-%d", worker, i)
		if _, err := s.Apply(ctx, storage.Write{Backend: backend(name), IfUnchanged: true}); err != nil {
			return err
		}
		if i%2 == 0 {
			if _, err := s.Apply(ctx, deletion(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepCopy lists and then watches until the backend "last" is gone.
func keepCopy(ctx context.Context, s storage.Store) (map[string]int64, error) {
	listed, revision, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	kept := map[string]int64{}
	for _, b := range listed {
		kept[b.Name] = b.Revision
	}
	if _, ok := kept["last"]; !ok {
		return kept, nil
	}
	for change, err := range s.Watch(ctx, revision) {
		if err != nil {
			return nil, err
		}
		e := change.Entries[0]
		if e.After != nil {
			kept[e.Name()] = change.Revision
			continue
		}
		if kept[e.Name()] != e.Before.Revision {
			return nil, fmt.Errorf("%q was deleted at revision %d, and was there at %d", e.Name(), e.Before.Revision, kept[e.Name()])
		}
		delete(kept, e.Name())
		if e.Name() == "last" {
			break
		}
	}
	return kept, ctx.Err()
}

func testWatchCompacted(t *testing.T, _ Harness, s storage.Store) {
	mustPut(t, s, backend("a"))
	_, now := mustList(t, s)
	for _, revision := range []int64{-1, math.MinInt64, now.Revision + 1, math.MaxInt64} {
		after := storage.Position{History: now.History, Revision: revision}
		changes, errs := 0, 0
		for change, err := range s.Watch(testContext(t), after) {
			if err == nil {
				t.Errorf("after %v: watched revision %d", after, change.Revision)
				changes++
				break
			}
			errs++
			wantError(t, fmt.Sprintf("watch after %v", after), err, storage.ErrCompacted)
		}
		if errs != 1 || changes != 0 {
			t.Errorf("after %v: %d errors and %d changes, want one error", after, errs, changes)
		}
	}
}

// testWatchReopened allows a store to forget its history, but only honestly.
func testWatchReopened(t *testing.T, h Harness, s storage.Store) {
	if h.Reopen == nil {
		t.Skip("the store does not outlive its Close")
	}
	first := mustPut(t, s, backend("a")).Revision
	mustPut(t, s, backend("b"))
	s = h.Reopen(t, s)
	t.Cleanup(func() { _ = s.Close() })
	_, now := mustList(t, s)
	mustPut(t, s, backend("c"))
	wantNames(t, mustWatch(t, s, now, 1), "c")
	changes, err := watch(testContext(t), s, at(first), 2)
	if errors.Is(err, storage.ErrCompacted) && len(changes) == 0 {
		return
	}
	if err != nil {
		t.Fatalf("watch after %d: %v", first, err)
	}
	wantNames(t, changes, "b", "c")
}

func testWatchBreak(t *testing.T, _ Harness, s storage.Store) {
	_, start := mustList(t, s)
	for _, name := range []string{"a", "b", "c"} {
		mustPut(t, s, backend(name))
	}
	sequence := s.Watch(testContext(t), start)
	for range 2 { // a sequence may be ranged over again
		count := 0
		for range sequence {
			if count++; count == 2 {
				break
			}
		}
		if count != 2 {
			t.Errorf("watched %d changes before the break", count)
		}
	}
	mustPut(t, s, backend("d"))
}

func testWatchContext(t *testing.T, _ Harness, s storage.Store) {
	_, start := mustList(t, s)
	mustPut(t, s, backend("a"))
	mustPut(t, s, backend("b"))

	t.Run("before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for change, err := range s.Watch(ctx, start) {
			t.Errorf("yields revision %d and %v", change.Revision, err)
		}
	})
	t.Run("while it replays", func(t *testing.T) {
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		count := 0
		for _, err := range s.Watch(ctx, start) {
			if err != nil {
				t.Errorf("yields %v", err)
			}
			count++
			cancel()
		}
		if count != 1 {
			t.Errorf("yields %d times", count)
		}
	})
	t.Run("while it waits", func(t *testing.T) {
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		replayed, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			count := 0
			for _, err := range s.Watch(ctx, start) {
				if err != nil {
					ended <- err
					return
				}
				if count++; count == 2 {
					close(replayed)
				}
			}
			ended <- nil
		}()
		<-replayed
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ends with %v", err)
		}
	})
}

func testWatchReentrant(t *testing.T, _ Harness, s storage.Store) {
	_, start := mustList(t, s)
	mustPut(t, s, backend("0"))
	count := 0
	for change, err := range s.Watch(testContext(t), start) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(testContext(t), change.Entries[0].Name()); err != nil {
			t.Fatal(err)
		}
		if count++; count == 5 {
			break
		}
		mustPut(t, s, backend(fmt.Sprint(count)))
	}
	if count != 5 {
		t.Errorf("watched %d changes, want 5", count)
	}
}
