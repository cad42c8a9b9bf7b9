// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// view is the copy of the store that reads are answered from. The store's watch
// alone puts changes into it; health adds what its probes have found. Entries are
// never changed, only replaced.
type view struct {
	updating sync.Mutex // held while entries are made and replaced

	mu     sync.RWMutex
	byName map[string]*entry
	oldest []*entry         // in the order of creation
	at     storage.Position // of the last change that is in the view
	// awaited are closed when the view has reached their revision.
	awaited map[int64]chan struct{}
	ended   chan struct{} // closed when nothing changes the view any more
	// news is closed, and replaced, a moment after the view has moved on. Watches wait
	// here, not at the store.
	news  chan struct{}
	moved chan struct{} // has a value when it has moved on since
	// changed is told each entry that is replaced; nil for one that is deleted.
	changed func(name string, e *entry)
}

type entry struct {
	backend   storage.Backend
	condition *condition // nil before the first probe
	info      *BackendInfo
	// storedSeen is the LastSeen that is stored, where backend has a later one. It is
	// all that changes of an entry.
	storedSeen int64
}

func newEntry(b storage.Backend, c *condition) *entry {
	return &entry{backend: b, condition: c, info: newInfo(b, c), storedSeen: b.LastSeen}
}

func newView() *view {
	return &view{
		byName: map[string]*entry{}, awaited: map[int64]chan struct{}{}, ended: make(chan struct{}), news: make(chan struct{}), moved: make(chan struct{}, 1),
		changed: func(string, *entry) {},
	}
}

// byCreation orders entries by age. Ids are of version 7, which grow with time:
// they order what was created within one second. Entries of other programs may
// have none.
func byCreation(a, b *entry) int {
	return cmp.Or(
		cmp.Compare(a.backend.CreatedAt, b.backend.CreatedAt),
		cmp.Compare(a.backend.ID, b.backend.ID),
		cmp.Compare(a.backend.Name, b.backend.Name),
	)
}

// reset fills the view with everything that the store holds at a position.
func (v *view) reset(backends []storage.Backend, at storage.Position) {
	v.updating.Lock()
	defer v.updating.Unlock()
	byName := make(map[string]*entry, len(backends))
	for _, b := range backends {
		byName[b.Name] = v.entryOf(&b)
	}
	oldest := slices.SortedFunc(maps.Values(byName), byCreation)
	v.mu.Lock()
	defer v.mu.Unlock()
	for name := range v.byName {
		v.changed(name, byName[name])
	}
	v.byName, v.oldest, v.at = byName, oldest, at
	for awaited := range v.awaited {
		if awaited <= at.Revision {
			v.wake(awaited)
		}
	}
	v.move()
}

// apply makes the next change of the store visible, as a whole.
func (v *view) apply(change storage.Change) {
	v.updating.Lock()
	defer v.updating.Unlock()
	entries := make([]*entry, len(change.Entries)) // nil for what was deleted
	for i, e := range change.Entries {
		if e.After != nil {
			entries[i] = v.entryOf(e.After)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, e := range change.Entries {
		v.put(e.Name(), entries[i])
	}
	v.at.Revision = change.Revision
	v.wake(change.Revision)
	v.move()
}

// move has the watches woken.
func (v *view) move() {
	select {
	case v.moved <- struct{}{}:
	default:
	}
}

// newsDelay is how much later than the view has moved on watches are woken. There may
// be thousands of them: the writer is answered before they all run, and what is
// written meanwhile is told together.
const newsDelay = time.Millisecond

// wakeWatches wakes the watches whenever the view has moved on, until ctx is done.
func (v *view) wakeWatches(ctx context.Context) {
	for {
		select {
		case <-v.moved:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(newsDelay):
		case <-ctx.Done():
			return
		}
		v.mu.Lock()
		close(v.news)
		v.news = make(chan struct{})
		v.mu.Unlock()
	}
}

// put replaces the entry of that name; nil removes it.
func (v *view) put(name string, e *entry) {
	v.changed(name, e)
	if old := v.byName[name]; old != nil {
		i, _ := slices.BinarySearchFunc(v.oldest, old, byCreation)
		if e != nil && byCreation(old, e) == 0 {
			v.oldest[i], v.byName[name] = e, e
			return
		}
		v.oldest = slices.Delete(v.oldest, i, i+1)
		delete(v.byName, name)
	}
	if e != nil {
		i, _ := slices.BinarySearchFunc(v.oldest, e, byCreation)
		v.oldest = slices.Insert(v.oldest, i, e)
		v.byName[name] = e
	}
}

// wake ends the waits for a revision.
func (v *view) wake(revision int64) {
	if reached := v.awaited[revision]; reached != nil {
		close(reached)
		delete(v.awaited, revision)
	}
}

// errEnded is the error of a wait for what the view will not show.
var errEnded = errors.New("the registry no longer follows its store")

// wait returns when the view has reached a revision of the store. It fails when
// ctx is done, or when the view is not updated any more.
func (v *view) wait(ctx context.Context, revision int64) error {
	v.mu.Lock()
	if v.at.Revision >= revision {
		v.mu.Unlock()
		return nil
	}
	reached := v.awaited[revision]
	if reached == nil {
		reached = make(chan struct{})
		v.awaited[revision] = reached
	}
	v.mu.Unlock()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-v.ended:
		return errEnded
	}
}

// get returns the entry of that name, nil if there is none.
func (v *view) get(name string) *entry {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.byName[name]
}

// infoOf returns what clients see of a backend as it was stored, which is mostly
// encoded already.
func (v *view) infoOf(b *storage.Backend) *BackendInfo {
	if e := v.get(b.Name); e != nil && e.backend.Revision == b.Revision {
		return e.info
	}
	return newInfo(*b, v.conditionOf(b))
}

// entryOf makes the entry of a backend that was stored. What is known in memory only
// of the one that it replaces stays.
func (v *view) entryOf(b *storage.Backend) *entry {
	shown := *b
	if old := v.get(b.Name); old != nil && old.backend.ID == b.ID {
		shown.LastSeen = max(b.LastSeen, old.backend.LastSeen)
	}
	e := newEntry(shown, v.conditionOf(b))
	e.storedSeen = b.LastSeen
	return e
}

// conditionOf returns what probes have found of b, nil for nothing.
func (v *view) conditionOf(b *storage.Backend) *condition {
	if e := v.get(b.Name); e != nil && e.condition != nil && e.condition.address == addressOf(*b) {
		return e.condition
	}
	return nil
}

// read calls fn with every entry, the oldest first. Writers wait for fn, and it may
// not keep the slice.
func (v *view) read(fn func(oldest []*entry)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	fn(v.oldest)
}

// all returns every entry, the oldest first, and the position of the view.
func (v *view) all() (oldest []*entry, at storage.Position) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.oldest), v.at
}

// position returns the position of the view, and a channel that is closed when it
// has another one.
func (v *view) position() (storage.Position, <-chan struct{}) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.at, v.news
}

// setConditions adds what probes have found to those of the entries that are
// still the same.
func (v *view) setConditions(outcomes []probed, conditions []*condition) {
	v.updating.Lock()
	defer v.updating.Unlock()
	fresh := make([]*entry, len(outcomes))
	now := time.Now()
	for i, p := range outcomes {
		conditions[i].at = now
		if e := v.get(p.entry.backend.Name); e != nil && e.backend.Revision == p.entry.backend.Revision {
			fresh[i] = e.with(conditions[i], conditions[i].seen)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range fresh {
		if e != nil {
			v.put(e.backend.Name, e)
		}
	}
}

// fillView lists the store anew.
func (r *Registry) fillView(ctx context.Context) error {
	backends, at, err := r.store.List(ctx)
	if err != nil {
		return fmt.Errorf("reading the registry: %w", err)
	}
	r.view.reset(backends, at)
	return nil
}

// storeRetry is the pause after a failure of the store.
const storeRetry = time.Second

// follow keeps the view current until ctx is done or the store is closed.
func (r *Registry) follow(ctx context.Context) {
	defer close(r.view.ended)
	for ctx.Err() == nil {
		var err error
		at, _ := r.view.position()
		for change, failed := range r.store.Watch(ctx, at) {
			if failed != nil {
				err = failed
				break
			}
			r.view.apply(change)
		}
		if errors.Is(err, storage.ErrCompacted) {
			err = r.fillView(ctx)
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, storage.ErrClosed):
			r.log.Error("the registry no longer follows its store", "error", err)
			return
		default:
			r.log.Error("the registry can't follow its store, and will try again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(storeRetry):
			}
		}
	}
}
