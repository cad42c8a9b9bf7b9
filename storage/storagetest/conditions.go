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
	const absent, present, deleted = "absent", "present", "deleted" // what the name x is; before that, it had two revisions
	conflict, notFound := storage.ErrConflict, storage.ErrNotFound
	for _, c := range []struct {
		condition string
		revision  func(first, last int64) int64 // nil for no condition
		put       map[string]error              // by state; nil where it must happen
		delete    map[string]error
	}{
		{"nothing", nil, nil, map[string]error{absent: notFound, deleted: notFound}},
		{"absent", func(_, _ int64) int64 { return 0 },
			map[string]error{present: conflict},
			map[string]error{absent: notFound, present: conflict, deleted: notFound}},
		{"the last revision", func(_, last int64) int64 { return last },
			map[string]error{absent: conflict, deleted: conflict},
			map[string]error{absent: conflict, deleted: conflict}},
		{"an older revision", func(first, _ int64) int64 { return first },
			map[string]error{absent: conflict, present: conflict, deleted: conflict},
			map[string]error{absent: conflict, present: conflict, deleted: conflict}},
		{"a future revision", func(_, last int64) int64 { return last + 1000 },
			map[string]error{absent: conflict, present: conflict, deleted: conflict},
			map[string]error{absent: conflict, present: conflict, deleted: conflict}},
	} {
		for _, state := range []string{absent, present, deleted} {
			for _, del := range []bool{false, true} {
				want, doing := c.put[state], "put"
				if del {
					want, doing = c.delete[state], "delete"
				}
				t.Run(fmt.Sprintf("%s if %s where %s", doing, c.condition, state), func(t *testing.T) {
					s := h.Open(t)
					t.Cleanup(func() { _ = s.Close() })
					first, last := mustPut(t, s, backend("y")).Revision, mustPut(t, s, backend("y")).Revision
					if state != absent {
						first, last = mustPut(t, s, backend("x")).Revision, mustPut(t, s, backend("x")).Revision
					}
					if state == deleted {
						mustDelete(t, s, "x")
					}
					w := storage.Write{Backend: backend("x"), Delete: del, IfUnchanged: c.revision != nil}
					if w.IfUnchanged {
						w.Backend.Revision = c.revision(first, last)
					}
					checkCondition(t, s, w, want)
				})
			}
		}
	}
}

// checkCondition applies a write that must fail and change nothing, or else
// must happen.
func checkCondition(t *testing.T, s storage.Store, w storage.Write, want error) {
	t.Helper()
	if want != nil {
		mustChangeNothing(t, s, want, w)
		return
	}
	_, revision := mustList(t, s)
	change := mustApply(t, s, w)
	if _, now := mustList(t, s); len(change.Entries) != 1 || change.Revision <= revision.Revision || change.Revision != now.Revision ||
		(change.Entries[0].After == nil) != w.Delete {
		t.Errorf("at %v answered %+v", now, change)
	}
}

// mustChangeNothing applies writes that must fail, with want if that is given.
func mustChangeNothing(t *testing.T, s storage.Store, want error, writes ...storage.Write) {
	t.Helper()
	before, revision := mustList(t, s)
	change, err := s.Apply(testContext(t), writes...)
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("apply: error %v, want %v", err, want)
	}
	after, now := mustList(t, s)
	if change.Revision != 0 || len(change.Entries) > 0 || now != revision || !reflect.DeepEqual(before, after) {
		t.Errorf("the failed apply answers %+v; position %v became %v", change, revision, now)
	}
}

func testOneChange(t *testing.T, _ Harness, s storage.Store) {
	mustPut(t, s, backend("a"))
	_, start := mustList(t, s)
	other := backend("b")
	other.ID = backend("a").ID // free again, once a is deleted
	change := mustApply(t, s, deletion("a"), put(other), storage.Write{Backend: backend("c"), IfUnchanged: true})
	listed, now := mustList(t, s)
	revision := now.Revision
	if change.Revision <= start.Revision || change.Revision != revision {
		t.Errorf("the change has revision %d, the store %d, before %d", change.Revision, revision, start.Revision)
	}
	wantNames(t, []storage.Change{change}, "-a+b+c")
	for _, b := range listed {
		if b.Revision != revision {
			t.Errorf("%q has revision %d, the change %d", b.Name, b.Revision, revision)
		}
	}
	if seen := mustWatch(t, s, start, 1)[0]; !reflect.DeepEqual(seen, change) {
		t.Errorf("watched %+v, answered %+v", seen, change)
	}
	if next := mustPut(t, s, backend("c")).Revision; next <= revision {
		t.Errorf("the next change has revision %d after %d", next, revision)
	}
}

func testAtomicity(t *testing.T, _ Harness, s storage.Store) {
	mustPut(t, s, backend("a"))
	mustPut(t, s, backend("b"))
	stale := mustPut(t, s, backend("c"))
	mustPut(t, s, backend("c"))
	_, revision := mustList(t, s)
	changed := backend("a")
	changed.Port = 1
	good := []storage.Write{put(changed), {Backend: backend("new"), IfUnchanged: true}, deletion("b")}
	for position := range len(good) + 1 {
		for _, bad := range []struct {
			write storage.Write
			want  error
		}{
			{storage.Write{Backend: backend("c"), IfUnchanged: true}, storage.ErrConflict},
			{storage.Write{Backend: stale, IfUnchanged: true}, storage.ErrConflict},
			{storage.Write{Backend: storage.Backend{Name: "nobody", Revision: revision.Revision}, IfUnchanged: true}, storage.ErrConflict},
			{deletion("nobody"), storage.ErrNotFound},
		} {
			writes := append(append(append([]storage.Write{}, good[:position]...), bad.write), good[position:]...)
			mustChangeNothing(t, s, bad.want, writes...)
		}
	}
	mustApply(t, s, good...)
	wantNames(t, mustWatch(t, s, revision, 1), "a+new+-b") // and nothing of what failed
}

func testDistinctNames(t *testing.T, _ Harness, s storage.Store) {
	mustPut(t, s, backend("a"))
	mustChangeNothing(t, s, nil, put(backend("a")), put(backend("a")))
	mustChangeNothing(t, s, nil, put(backend("a")), put(backend("b")), deletion("a"))
	mustChangeNothing(t, s, nil, deletion("a"), put(backend("a")))
	mustChangeNothing(t, s, nil, storage.Write{Backend: backend("b"), IfUnchanged: true}, put(backend("b")))
	mustApply(t, s, put(backend("a")), put(backend("A")))
}

func testMaxWrites(t *testing.T, _ Harness, s storage.Store) {
	n := s.MaxWrites()
	if n == 0 {
		n = 1000 // as any number is allowed
	}
	writes := make([]storage.Write, n+1)
	for i := range writes {
		writes[i] = put(backend(fmt.Sprint(i)))
	}
	if s.MaxWrites() > 0 {
		mustChangeNothing(t, s, nil, writes...)
	}
	change := mustApply(t, s, writes[:n]...)
	if listed, revision := mustList(t, s); len(listed) != n || len(change.Entries) != n || change.Revision != revision.Revision {
		t.Errorf("listed %d of %d at %v; answered %d at revision %d", len(listed), n, revision, len(change.Entries), change.Revision)
	}
}

func testNoWrites(t *testing.T, _ Harness, s storage.Store) {
	_, revision := mustList(t, s)
	change, err := s.Apply(testContext(t))
	if err != nil || change.Revision != 0 || len(change.Entries) != 0 {
		t.Errorf("answered %+v and %v", change, err)
	}
	if _, now := mustList(t, s); now != revision {
		t.Errorf("the position went from %v to %v", revision, now)
	}
}

func testBefore(t *testing.T, _ Harness, s storage.Store) {
	_, start := mustList(t, s)
	first := backend("a")
	first.Description = text("first")
	second := backend("a")
	second.Port, second.Description = 1, nil
	created := mustApply(t, s, put(first), put(backend("b")))
	updated := mustApply(t, s, put(backend("b")), put(second))
	deleted := mustApply(t, s, deletion("a"))
	again := mustApply(t, s, put(first))
	first.Revision, second.Revision = created.Revision, updated.Revision
	for i, change := range mustWatch(t, s, start, 4) {
		applied := []storage.Change{created, updated, deleted, again}[i]
		if !reflect.DeepEqual(change, applied) {
			t.Errorf("watched %+v, answered %+v", change, applied)
		}
		e := change.Entries[[]int{0, 1, 0, 0}[i]] // of a
		want := []*storage.Backend{nil, &first, &second, nil}[i]
		if (e.Before == nil) != (want == nil) {
			t.Errorf("change %d: before is %v, want %v", i, e.Before, want)
		} else if want != nil {
			wantBackend(t, *e.Before, *want)
		}
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
			_, err = s.Apply(ctx, storage.Write{Backend: b, IfUnchanged: true})
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
			writes := []storage.Write{put(backend(name)), put(backend("more " + name))}
			fails := (worker+i)%2 == 0
			if fails {
				writes = append(writes, storage.Write{Backend: backend("taken"), IfUnchanged: true})
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
	for _, change := range mustWatch(t, s, start, workers*each/2) {
		if len(change.Entries) != 2 || change.Entries[0].Name() == "taken" || change.Entries[1].Name() != "more "+change.Entries[0].Name() {
			t.Errorf("watched %+v", change)
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
