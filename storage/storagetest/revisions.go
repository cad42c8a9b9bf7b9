// SPDX-License-Identifier: AGPL-3.0-only

package storagetest

import (
	"fmt"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// churn makes changes of every kind and checks that each has a revision above
// last. It returns the highest.
func churn(t *testing.T, s storage.Store, last int64) int64 {
	t.Helper()
	above := func(revision int64) {
		t.Helper()
		if revision <= last {
			t.Errorf("revision %d after %d", revision, last)
		}
		last = revision
	}
	for range 3 {
		above(mustPut(t, s, backend("a")).Revision)
		above(mustPut(t, s, backend("a")).Revision) // the same again
		above(mustApply(t, s, put(backend("b")), deletion("a"), put(backend("c"))).Revision)
		above(mustDelete(t, s, "b"))
		above(mustDelete(t, s, "c")) // the store is empty now
		if _, listed := mustList(t, s); listed.Revision != last {
			t.Errorf("listed at revision %d, want %d", listed.Revision, last)
		}
	}
	return last
}

func testRevisionsGrow(t *testing.T, _ Harness, s storage.Store) {
	_, start := mustList(t, s)
	churn(t, s, max(start.Revision, 0)) // above zero, also where the store began below
}

func testRevisionsReopened(t *testing.T, h Harness, s storage.Store) {
	if h.Reopen == nil {
		t.Skip("the store does not outlive its Close")
	}
	last := int64(0)
	for range 3 {
		last = churn(t, s, last)
		s = h.Reopen(t, s)
		t.Cleanup(func() { _ = s.Close() })
		if _, listed := mustList(t, s); listed.Revision < last {
			t.Errorf("reopened at revision %d, was %d", listed.Revision, last)
		}
	}
}

// testListRevision lists while others write. Each write adds one backend, so
// the highest revision in a list must be the list's own.
func testListRevision(t *testing.T, _ Harness, s storage.Store) {
	const workers, each = 4, 50
	ctx := testContext(t)
	concurrently(t, workers*2, func(worker int) error {
		last := int64(0)
		for i := range each {
			if worker < workers {
				if _, err := s.Apply(ctx, put(backend(fmt.Sprintf("%d-%d", worker, i)))); err != nil {
					return err
				}
				continue
			}
			listed, position, err := s.List(ctx)
			if err != nil {
				return err
			}
			revision := position.Revision
			highest := int64(0)
			for _, b := range listed {
				highest = max(highest, b.Revision)
			}
			if len(listed) > 0 && highest != revision || revision < last {
				return fmt.Errorf("listed revision %d with backends up to %d, after %d", revision, highest, last)
			}
			last = revision
		}
		return nil
	})
}
