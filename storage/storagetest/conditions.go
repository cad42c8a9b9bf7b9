// SPDX-License-Identifier: AGPL-3.0-only

package storagetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

func testConditions(t *testing.T, h Harness, _ storage.Store) {
	// The name x has no backend, or one with two revisions behind it; or it
	// had one.
	states := []string{"absent", "present", "deleted"}
	for _, c := range []struct {
		cond    string
		of      func(first, last int64) storage.Condition
		put     map[string]error // by state; nil where it must happen
		deleted map[string]error
	}{
		{
			cond:    "none",
			of:      func(_, _ int64) storage.Condition { return storage.Condition{} },
			deleted: map[string]error{"absent": storage.ErrNotFound, "deleted": storage.ErrNotFound},
		}, {
			cond: "absent",
			of:   func(_, _ int64) storage.Condition { return storage.IfAbsent() },
			put:  map[string]error{"present": storage.ErrConflict},
			deleted: map[string]error{"absent": storage.ErrNotFound, "present": storage.ErrConflict,
				"deleted": storage.ErrNotFound},
		}, {
			cond:    "last revision",
			of:      func(_, last int64) storage.Condition { return storage.IfRevision(last) },
			put:     map[string]error{"absent": storage.ErrConflict, "deleted": storage.ErrConflict},
			deleted: map[string]error{"absent": storage.ErrConflict, "deleted": storage.ErrConflict},
		}, {
			cond: "older revision",
			of:   func(first, _ int64) storage.Condition { return storage.IfRevision(first) },
			put: map[string]error{"absent": storage.ErrConflict, "present": storage.ErrConflict,
				"deleted": storage.ErrConflict},
			deleted: map[string]error{"absent": storage.ErrConflict, "present": storage.ErrConflict,
				"deleted": storage.ErrConflict},
		}, {
			cond: "future revision",
			of:   func(_, last int64) storage.Condition { return storage.IfRevision(last + 1000) },
			put: map[string]error{"absent": storage.ErrConflict, "present": storage.ErrConflict,
				"deleted": storage.ErrConflict},
			deleted: map[string]error{"absent": storage.ErrConflict, "present": storage.ErrConflict,
				"deleted": storage.ErrConflict},
		},
	} {
		for _, state := range states {
			for _, del := range []bool{false, true} {
				want, doing := c.put[state], "put"
				if del {
					want, doing = c.deleted[state], "delete"
				}
				t.Run(fmt.Sprintf("%s if %s where %s", doing, c.cond, state), func(t *testing.T) {
					s := h.Open(t)
					t.Cleanup(func() { _ = s.Close() })
					first, last := mustPut(t, s, backend("y")).Revision, mustPut(t, s, backend("y")).Revision
					if state != "absent" {
						first, last = mustPut(t, s, backend("x")).Revision, mustPut(t, s, backend("x")).Revision
					}
					if state == "deleted" {
						mustDelete(t, s, "x")
					}
					checkCondition(t, s, storage.Write{Backend: backend("x"), Delete: del, If: c.of(first, last)}, want)
				})
			}
		}
	}
}

// checkCondition applies a write that must end with an error, having changed
// nothing, or else must happen.
func checkCondition(t *testing.T, s storage.Store, w storage.Write, want error) {
	t.Helper()
	before, revision := mustList(t, s)
	changes, err := s.Apply(testContext(t), w)
	after, now := mustList(t, s)
	if want != nil {
		wantError(t, "apply", err, want)
		if len(changes) > 0 || now != revision || !reflect.DeepEqual(before, after) {
			t.Errorf("the failed write left a trace: %+v, revision %d to %d", changes, revision, now)
		}
		return
	}
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	if len(changes) != 1 || changes[0].Revision <= revision || changes[0].Revision != now || changes[0].Deleted != w.Delete {
		t.Errorf("at revision %d answered %+v", now, changes)
	}
}

func testAtomicity(t *testing.T, _ Harness, s storage.Store) {
	mustPut(t, s, backend("a"))
	mustPut(t, s, backend("b"))
	before, revision := mustList(t, s)
	changed := backend("a")
	changed.Port = 1
	good := []storage.Write{
		{Backend: changed},
		{Backend: backend("new"), If: storage.IfAbsent()},
		{Backend: storage.Backend{Name: "b"}, Delete: true},
	}
	bad := []struct {
		write storage.Write
		want  error
	}{
		{storage.Write{Backend: backend("a"), If: storage.IfAbsent()}, storage.ErrConflict},
		{storage.Write{Backend: backend("new"), If: storage.IfRevision(revision)}, storage.ErrConflict},
		{storage.Write{Backend: storage.Backend{Name: "nobody"}, Delete: true}, storage.ErrNotFound},
	}
	for position := range len(good) + 1 {
		for _, b := range bad {
			if position == 0 && b.write.Backend.Name == "new" {
				continue // asks for what the writes before it have made
			}
			writes := append(append(append([]storage.Write{}, good[:position]...), b.write), good[position:]...)
			changes, err := s.Apply(testContext(t), writes...)
			wantError(t, fmt.Sprintf("position %d", position), err, b.want)
			after, now := mustList(t, s)
			if len(changes) > 0 || now != revision || !reflect.DeepEqual(before, after) {
				t.Errorf("position %d: a part was written: %d changes, revision %d to %d", position, len(changes), revision, now)
			}
		}
	}
	if _, err := s.Apply(testContext(t), good...); err != nil {
		t.Errorf("the good writes alone: %v", err)
	}
	// Of all that, watchers see the good writes only.
	for i, change := range mustWatch(t, s, revision, len(good)) {
		if change.Backend.Name != good[i].Backend.Name || change.Deleted != good[i].Delete {
			t.Errorf("change %d is of %q", i, change.Backend.Name)
		}
	}
}

func testSequence(t *testing.T, _ Harness, s storage.Store) {
	_, start := mustList(t, s)
	other := backend("b")
	other.ID = backend("a").ID // free again, once a is gone
	changes, err := s.Apply(testContext(t),
		storage.Write{Backend: backend("a"), If: storage.IfAbsent()},
		storage.Write{Backend: storage.Backend{Name: "a"}, Delete: true},
		storage.Write{Backend: other},
		storage.Write{Backend: other},
	)
	if err != nil {
		t.Fatal(err)
	}
	last := start
	for i, change := range changes {
		if change.Revision <= last || change.Deleted != (i == 1) || change.Backend.Name != []string{"a", "a", "b", "b"}[i] {
			t.Errorf("change %d: revision %d after %d, %q, deleted %v", i, change.Revision, last, change.Backend.Name, change.Deleted)
		}
		last = change.Revision
	}
	if seen := mustWatch(t, s, start, 4); !reflect.DeepEqual(seen, changes) {
		t.Errorf("watched %+v, answered %+v", seen, changes)
	}
	wantOne(t, s, "b")
}

func testNoWrites(t *testing.T, _ Harness, s storage.Store) {
	_, revision := mustList(t, s)
	changes, err := s.Apply(testContext(t))
	if err != nil || len(changes) != 0 {
		t.Errorf("answered %+v and %v", changes, err)
	}
	if _, now := mustList(t, s); now != revision {
		t.Errorf("the revision went from %d to %d", revision, now)
	}
}

func testIncrements(t *testing.T, _ Harness, s storage.Store) {
	const workers, each = 8, 20
	counter := backend("counter")
	counter.Port = 0
	mustPut(t, s, counter)
	ctx := testContext(t)
	increment := func() error {
		for {
			b, err := s.Get(ctx, "counter")
			if err != nil {
				return err
			}
			b.Port++
			_, err = storage.Put(ctx, s, b, storage.IfRevision(b.Revision))
			if !errors.Is(err, storage.ErrConflict) {
				return err
			}
		}
	}
	concurrently(t, workers, func(int) error {
		for range each {
			if err := increment(); err != nil {
				return err
			}
		}
		return nil
	})
	b, err := s.Get(ctx, "counter")
	if err != nil || b.Port != workers*each {
		t.Errorf("counted to %d and %v, want %d", b.Port, err, workers*each)
	}
}

func testNeighbours(t *testing.T, _ Harness, s storage.Store) {
	const workers, each = 8, 20
	ctx := testContext(t)
	mustPut(t, s, backend("taken"))
	_, start := mustList(t, s)
	concurrently(t, workers, func(worker int) error {
		for i := range each {
			name := fmt.Sprintf("%d-%d", worker, i)
			writes := []storage.Write{{Backend: backend(name)}, {Backend: backend("more " + name)}}
			fails := (worker+i)%2 == 0
			if fails {
				writes = append(writes, storage.Write{Backend: backend("taken"), If: storage.IfAbsent()})
			}
			if _, err := s.Apply(ctx, writes...); errors.Is(err, storage.ErrConflict) != fails {
				return fmt.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	listed, _ := mustList(t, s)
	if want := 1 + workers*each; len(listed) != want {
		t.Errorf("listed %d backends, want %d", len(listed), want)
	}
	for _, change := range mustWatch(t, s, start, workers*each) {
		if change.Deleted || change.Backend.Name == "taken" {
			t.Errorf("watched a change of %q", change.Backend.Name)
		}
	}
}

// concurrently runs f in workers, and fails with the first error.
func concurrently(t *testing.T, workers int, f func(worker int) error) {
	t.Helper()
	errs := make([]error, workers)
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() { errs[worker] = f(worker) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
