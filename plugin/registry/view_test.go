// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// randomChange is what writers do to a store: puts and deletions of a few names
// at once. Some entries have the same age and no id, as those of other programs.
func randomChange(random *rand.Rand, stored map[string]*storage.Backend, revision int64) storage.Change {
	change := storage.Change{Revision: revision}
	names := []string{"a", "b", "c", "d"}
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:1+random.IntN(len(names))] {
		before := stored[name]
		if before != nil && random.IntN(3) == 0 {
			delete(stored, name)
			change.Entries = append(change.Entries, storage.EntryChange{Before: before})
			continue
		}
		b := storage.Backend{Name: name, CreatedAt: random.Int64N(3)}
		if before != nil {
			b = *before
		} else if random.IntN(2) == 0 {
			b.ID = fmt.Sprint(revision)
		}
		b.Port, b.Revision = int(revision), revision
		stored[name] = &b
		change.Entries = append(change.Entries, storage.EntryChange{Before: before, After: &b})
	}
	return change
}

// checkView compares what a view shows, in every way in which it is asked.
func checkView(v *view, stored map[string]*storage.Backend, revision int64) error {
	listed, at := v.all()
	if len(listed) != len(stored) || at.Revision != revision {
		return fmt.Errorf("it lists %d entries of %d, at revision %d of %d", len(listed), len(stored), at.Revision, revision)
	}
	for _, shown := range listed {
		want := stored[shown.backend.Name]
		if e := v.get(shown.backend.Name); e != shown || want == nil || e.backend.Port != want.Port || int(e.info.Port) != want.Port {
			return fmt.Errorf("it lists %+v, gets %+v, and should have %+v", shown, e, want)
		}
	}
	if !slices.IsSortedFunc(listed, byCreation) {
		return fmt.Errorf("it is not in order")
	}
	return nil
}

// A view shows what is stored after each change, and after each list.
func TestViewShowsWhatIsStored(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		stored, v := map[string]*storage.Backend{}, newView()
		for revision := int64(1); revision <= 50; revision++ {
			change := randomChange(random, stored, revision)
			if random.IntN(5) > 0 {
				v.apply(change)
			} else {
				var backends []storage.Backend
				for _, b := range stored {
					backends = append(backends, *b)
				}
				v.reset(backends, storage.Position{Revision: revision})
			}
			if err := checkView(v, stored, revision); err != nil {
				t.Fatalf("seed %d: after revision %d: %v", seed, revision, err)
			}
		}
	}
}
