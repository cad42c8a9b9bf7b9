// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/plexus-go/plexus/storage"
)

// view is the copy of the store that reads are answered from. Its entries are
// never changed, only replaced.
type view struct {
	mu     sync.RWMutex
	byName map[string]*entry
	oldest []*entry // in the order of creation
	// watched is the revision up to which the store's Watch was followed.
	// Writers bring their own changes in earlier; gone remembers, until Watch
	// has passed it, what was deleted so, and at which revision.
	watched int64
	gone    map[string]int64

	// following is held while a change is brought in that Watch yields, and by
	// who brings in several as one, so that Watch does not come in between.
	following sync.Mutex
}

type entry struct {
	backend   storage.Backend
	condition *condition // nil before the first probe
	info      *BackendInfo
}

// newEntry makes an entry of b, which c was found of.
func newEntry(b storage.Backend, c *condition) (*entry, error) {
	info, err := newInfo(b, c)
	if err != nil {
		return nil, err
	}
	return &entry{backend: b, condition: c, info: info}, nil
}

func newView() *view {
	return &view{byName: map[string]*entry{}, gone: map[string]int64{}}
}

// reset fills the view with everything that the store holds at revision, and
// keeps what writers have brought in since.
func (v *view) reset(backends []storage.Backend, revision int64) error {
	byName := make(map[string]*entry, len(backends))
	for _, b := range backends {
		e, err := newEntry(b, v.conditionOf(b))
		if err != nil {
			return err
		}
		byName[b.Name] = e
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, e := range v.byName {
		if e.backend.Revision > revision {
			byName[name] = e
		}
	}
	for name, deleted := range v.gone {
		if deleted <= revision {
			delete(v.gone, name)
		} else if e := byName[name]; e != nil && e.backend.Revision < deleted {
			delete(byName, name)
		}
	}
	v.byName, v.watched = byName, revision
	v.oldest = slices.SortedFunc(maps.Values(byName), byCreation)
	return nil
}

// byCreation orders entries by age. Ids are of version 7, which grow with
// time: they order what was created within one second. Entries of other
// programs may have none.
func byCreation(a, b *entry) int {
	return cmp.Or(
		cmp.Compare(a.backend.CreatedAt, b.backend.CreatedAt),
		cmp.Compare(a.backend.ID, b.backend.ID),
		cmp.Compare(a.backend.Name, b.backend.Name),
	)
}

// apply brings changes in that are news, at once. Changes of one name may come
// in any order; the newest revision stays.
func (v *view) apply(changes ...storage.Change) error {
	entries := make([]*entry, len(changes)) // nil for what was deleted
	for i, c := range changes {
		if c.Deleted {
			continue
		}
		var err error
		if entries[i], err = newEntry(c.Backend, v.conditionOf(c.Backend)); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, c := range changes {
		v.put(c, entries[i])
	}
	return nil
}

// follow is apply for changes that Watch yields, in order.
func (v *view) follow(c storage.Change) error {
	v.following.Lock()
	defer v.following.Unlock()
	v.mu.RLock()
	old := v.byName[c.Backend.Name]
	known := old != nil && old.backend.Revision >= c.Revision || v.gone[c.Backend.Name] >= c.Revision
	v.mu.RUnlock()
	if !known {
		if err := v.apply(c); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.watched = c.Revision
	if c.Deleted && v.gone[c.Backend.Name] <= c.Revision {
		delete(v.gone, c.Backend.Name)
	}
	return nil
}

func (v *view) put(c storage.Change, e *entry) {
	name := c.Backend.Name
	old := v.byName[name]
	if c.Revision <= v.watched || v.gone[name] >= c.Revision || old != nil && old.backend.Revision >= c.Revision {
		return
	}
	if old != nil {
		// An entry that was deleted and made again has another place.
		if e != nil && byCreation(old, e) == 0 {
			i, _ := slices.BinarySearchFunc(v.oldest, old, byCreation)
			v.oldest[i], v.byName[name] = e, e
			return
		}
		if i, found := slices.BinarySearchFunc(v.oldest, old, byCreation); found {
			v.oldest = slices.Delete(v.oldest, i, i+1)
		}
		delete(v.byName, name)
	}
	if e == nil {
		v.gone[name] = c.Revision
		return
	}
	i, _ := slices.BinarySearchFunc(v.oldest, e, byCreation)
	v.oldest = slices.Insert(v.oldest, i, e)
	v.byName[name] = e
}

// get returns the entry of that name, nil if there is none.
func (v *view) get(name string) *entry {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.byName[name]
}

// conditionOf returns what probes have found of b, nil for nothing.
func (v *view) conditionOf(b storage.Backend) *condition {
	if e := v.get(b.Name); e != nil && e.condition != nil && e.condition.address == addressOf(b) {
		return e.condition
	}
	return nil
}

// read hands every entry, the oldest first, to fn, which must be quick and keep
// nothing of the slice.
func (v *view) read(fn func(oldest []*entry)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	fn(v.oldest)
}

// all returns every entry, the oldest first.
func (v *view) all() []*entry {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.oldest)
}

// backends returns what is stored of every entry, the oldest first.
func (v *view) backends() []storage.Backend {
	v.mu.RLock()
	defer v.mu.RUnlock()
	backends := make([]storage.Backend, len(v.oldest))
	for i, e := range v.oldest {
		backends[i] = e.backend
	}
	return backends
}

// snapshot returns every entry, and the revision to watch from. ahead are the
// revisions of names that were changed after that already: changes up to them
// are in the snapshot.
func (v *view) snapshot() (entries []*entry, revision int64, ahead map[string]int64) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	ahead = maps.Clone(v.gone)
	for _, e := range v.oldest {
		if e.backend.Revision > v.watched {
			ahead[e.backend.Name] = e.backend.Revision
		}
	}
	return slices.Clone(v.oldest), v.watched, ahead
}

// examine attaches what probes have found to the entries that were probed, if
// they are still the same.
func (v *view) examine(outcomes []probed, conditions map[string]*condition) error {
	fresh := make([]*entry, len(outcomes))
	for i, p := range outcomes {
		var err error
		if fresh[i], err = newEntry(p.entry.backend, conditions[p.entry.backend.Name]); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, p := range outcomes {
		if v.byName[p.entry.backend.Name] != p.entry {
			continue
		}
		at, _ := slices.BinarySearchFunc(v.oldest, p.entry, byCreation)
		v.oldest[at], v.byName[p.entry.backend.Name] = fresh[i], fresh[i]
	}
	return nil
}
