// SPDX-License-Identifier: AGPL-3.0-only

package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

func testContextDone(t *testing.T, _ Harness, s storage.Store) {
	mustPut(t, s, backend("a"))
	_, revision := mustList(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Apply(ctx, put(backend("b")))
	wantError(t, "apply", err, context.Canceled)
	_, err = s.Get(ctx, "a")
	wantError(t, "get", err, context.Canceled)
	_, _, err = s.List(ctx)
	wantError(t, "list", err, context.Canceled)
	mustPut(t, s, backend("c"))
	wantNames(t, mustWatch(t, s, revision, 1), "c")
}

func testCloseWatchers(t *testing.T, _ Harness, s storage.Store) {
	const watchers = 4
	_, start := mustList(t, s)
	ctx := testContext(t)
	var running atomic.Int32
	watching := make(chan struct{})
	concurrently(t, watchers+1, func(i int) error {
		if i == watchers {
			_, errA := s.Apply(ctx, put(backend("a")))
			<-watching
			_, errB := s.Apply(ctx, put(backend("b")))
			return errors.Join(errA, errB, s.Close())
		}
		var names string
		for change, err := range s.Watch(ctx, start) {
			switch {
			case err == nil && names == "":
				names = change.Entries[0].Name()
				if running.Add(1) == watchers {
					close(watching)
				}
			case err == nil:
				names += change.Entries[0].Name()
			case !errors.Is(err, storage.ErrClosed):
				return err
			case names != "ab":
				return fmt.Errorf("watched %q before the end", names)
			default:
				names = "closed"
			}
		}
		if names != "closed" {
			return fmt.Errorf("the watch ended without an error, at %q", names)
		}
		return nil
	})
}

func testCloseRefuses(t *testing.T, _ Harness, s storage.Store) {
	mustPut(t, s, backend("a"))
	_, now := mustList(t, s)
	sequence := s.Watch(testContext(t), now)
	for range 2 { // closing again is no error
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	_, err := s.Get(testContext(t), "a")
	wantError(t, "get", err, storage.ErrClosed)
	_, _, err = s.List(testContext(t))
	wantError(t, "list", err, storage.ErrClosed)
	_, err = s.Apply(testContext(t), put(backend("b")))
	wantError(t, "apply", err, storage.ErrClosed)
	_, err = s.Apply(testContext(t))
	wantError(t, "apply nothing", err, storage.ErrClosed)
	_, err = watch(testContext(t), s, now, 1)
	wantError(t, "watch", err, storage.ErrClosed)
	count := 0
	for _, err := range sequence {
		count++
		wantError(t, "a watch from before", err, storage.ErrClosed)
	}
	if count != 1 {
		t.Errorf("a watch from before yields %d times", count)
	}
}

// testCloseFinishes closes while others write. Each write must be answered,
// and what was answered must be there.
func testCloseFinishes(t *testing.T, h Harness, s storage.Store) {
	const writers = 16
	ctx := testContext(t)
	answered := make([]int, writers)
	var begun atomic.Int32
	enough := make(chan struct{})
	concurrently(t, writers+1, func(worker int) error {
		if worker == writers {
			<-enough
			return s.Close()
		}
		for {
			_, err := s.Apply(ctx, put(backend(fmt.Sprintf("%d-%d", worker, answered[worker]))))
			if errors.Is(err, storage.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			if answered[worker]++; answered[worker] == 3 && begun.Add(1) == writers {
				close(enough)
			}
		}
	})
	if h.Reopen == nil {
		return
	}
	s = h.Reopen(t, s)
	t.Cleanup(func() { _ = s.Close() })
	want := 0
	for worker, n := range answered {
		want += n
		for i := range n {
			if _, err := s.Get(ctx, fmt.Sprintf("%d-%d", worker, i)); err != nil {
				t.Fatalf("answered, but: %v", err)
			}
		}
	}
	if listed, _ := mustList(t, s); len(listed) != want {
		t.Errorf("%d backends were answered, %d are there", want, len(listed))
	}
}
