// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// history is what random writers do to a store: puts and deletions of a few
// names. Some entries have the same age and no id, as those of other programs.
func history(random *rand.Rand, n int) []storage.Change {
	changes := make([]storage.Change, 0, n)
	stored := map[string]storage.Backend{}
	for revision := int64(1); revision <= int64(n); revision++ {
		name := string(rune('a' + random.IntN(4)))
		b, found := stored[name]
		if found && random.IntN(3) == 0 {
			delete(stored, name)
			changes = append(changes, storage.Change{Revision: revision, Backend: b, Deleted: true})
			continue
		}
		if !found {
			b = storage.Backend{Name: name, CreatedAt: random.Int64N(3)}
			if random.IntN(2) == 0 {
				b.ID = fmt.Sprint(revision)
			}
		}
		b.Port, b.Revision = int(revision), revision
		stored[name] = b
		changes = append(changes, storage.Change{Revision: revision, Backend: b})
	}
	return changes
}

// newestOf is what a view must show of the changes that reached it: of each
// name the last, whatever the order in which they came.
func newestOf(changes []storage.Change, reached []bool) map[string]int64 {
	want := map[string]int64{}
	for i, c := range changes {
		switch {
		case !reached[i]:
		case c.Deleted:
			delete(want, c.Backend.Name)
		default:
			want[c.Backend.Name] = c.Revision
		}
	}
	return want
}

// checkView compares what a view shows, in every way in which it is asked.
func checkView(v *view, want map[string]int64) error {
	listed := v.all()
	if len(listed) != len(want) || len(v.backends()) != len(want) {
		return fmt.Errorf("it lists %d and %d entries of %d", len(listed), len(v.backends()), len(want))
	}
	for _, shown := range listed {
		name := shown.backend.Name
		e := v.get(name)
		if e != shown || e.backend.Revision != want[name] || int64(e.info.Port) != want[name] {
			return fmt.Errorf("it lists %+v, gets %+v, and should have %q at %d", shown, e, name, want[name])
		}
	}
	if !slices.IsSortedFunc(listed, byCreation) {
		return fmt.Errorf("it is not in order")
	}
	return nil
}

// TestViewInAnyOrder lets changes reach a view as they may: from writers in
// any order and at any time after they were made, from the store's watch in
// order, all at once from its list. Nothing that was deleted comes back, and
// nothing older replaces what is newer.
func TestViewInAnyOrder(t *testing.T) {
	t.Parallel()
	const rounds, length = 500, 30
	for seed := range uint64(rounds) {
		random := rand.New(rand.NewPCG(seed, 0))
		changes := history(random, length)
		reached := make([]bool, length)
		made, followed := 0, 0
		var writers []storage.Change // that have yet to bring their change in
		v := newView()
		trace := ""
		for made < length || followed < length || len(writers) > 0 {
			var err error
			switch step := random.IntN(20); {
			case step < 8 && made < length:
				if random.IntN(3) > 0 { // else it is somebody else's
					writers = append(writers, changes[made])
				}
				made++
				continue
			case step < 14 && len(writers) > 0:
				i := random.IntN(len(writers))
				c := writers[i]
				writers = slices.Delete(writers, i, i+1)
				trace += fmt.Sprintf(" apply %d", c.Revision)
				err = v.apply(c)
				reached[c.Revision-1] = true
			case step < 19 && followed < made:
				c := changes[followed]
				followed++
				trace += fmt.Sprintf(" follow %d", c.Revision)
				err = v.follow(c)
				reached[c.Revision-1] = true
			case step == 19 && followed < made:
				// A list that was made a while ago: the changes since were not
				// in it, though some have reached the view already.
				at := followed + 1 + random.IntN(made-followed)
				var stored []storage.Backend
				everything := make([]bool, length)
				for i := range at {
					everything[i], reached[i] = true, true
				}
				for _, revision := range newestOf(changes, everything) {
					stored = append(stored, changes[revision-1].Backend)
				}
				followed = at
				trace += fmt.Sprintf(" list %d", at)
				err = v.reset(stored, int64(at))
			default:
				continue
			}
			if err == nil {
				err = checkView(v, newestOf(changes, reached))
			}
			if err != nil {
				t.Fatalf("seed %d: after%s: %v", seed, trace, err)
			}
		}
		if len(v.gone) != 0 {
			t.Fatalf("seed %d: after%s: still remembers %v", seed, trace, v.gone)
		}
	}
}
