// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// Source lists backends from outside of the registry, such as a file.
type Source interface {
	// Source is what the entries that come from here have as their source:
	// storage.SourceEnv or storage.SourceFile.
	Source() storage.Source
	// Load returns the complete list as it is now. On an error the registry
	// stays as it is. The backends satisfy storage.Backend.Validate, no name
	// is there twice; ids and times are the registry's to give.
	Load(ctx context.Context) ([]storage.Backend, error)
	// Changes yields whenever the source should be loaded again, until ctx is
	// done.
	Changes(ctx context.Context) iter.Seq[struct{}]
}

// feed is a source and what it listed when it was last loaded.
type feed struct {
	source storage.Source
	from   Source // nil for discovery, which is fed by probes
	// list is nil before the first load.
	list  map[string]storage.Backend
	order []string // the names of list, in the order of the source
	// erased are the names of list that were deleted since: they count as not
	// listed until the next load.
	erased map[string]bool
	err    error // of the last load
}

// partial tells that a name which is not listed may be there all the same:
// what was not found by asking may only be silent.
func (f *feed) partial() bool { return f.from == nil }

func (f *feed) names(name string) (storage.Backend, bool) {
	b, listed := f.list[name]
	return b, listed && !f.erased[name]
}

// set makes backends the list.
func (f *feed) set(backends []storage.Backend) {
	f.list = make(map[string]storage.Backend, len(backends))
	f.order = f.order[:0]
	f.erased = map[string]bool{}
	for _, b := range backends {
		f.list[b.Name] = b
		f.order = append(f.order, b.Name)
	}
}

// feeds are all sources, the highest rank first.
type feeds struct {
	mu  sync.Mutex // held while a source is loaded and applied
	all []*feed
}

// rank orders the sources; what was registered by a call stands above all of
// them.
func rank(s storage.Source) int {
	return slices.Index([]storage.Source{storage.SourceEnv, storage.SourceFile, storage.SourceAuto}, s)
}

func (fs *feeds) add(f *feed) {
	fs.all = append(fs.all, f)
	slices.SortStableFunc(fs.all, func(a, b *feed) int { return rank(a.source) - rank(b.source) })
}

func (fs *feeds) of(s storage.Source) *feed {
	for _, f := range fs.all {
		if f.source == s {
			return f
		}
	}
	return nil
}

// loadError is what a source says of why it can't be loaded.
type loadError struct{ err error }

func (e *loadError) Error() string { return e.err.Error() }

func (e *loadError) Unwrap() error { return e.err }

// Reload loads every source again, as the method reload does, and returns how
// many entries were added or changed. Where a source can't be loaded nothing
// changes, and the error is the source's; the registry has logged it.
func (r *Registry) Reload(ctx context.Context) (count int, err error) {
	r.feeds.mu.Lock()
	defer r.feeds.mu.Unlock()
	return r.load(ctx, r.feeds.all...)
}

// load loads some sources and applies what they list. The caller holds
// feeds.mu.
func (r *Registry) load(ctx context.Context, some ...*feed) (count int, err error) {
	lists := make([][]storage.Backend, len(some))
	for i, f := range some {
		if f.from == nil {
			continue
		}
		if lists[i], err = f.from.Load(ctx); err != nil {
			if f.err == nil || f.err.Error() != err.Error() { // said once
				r.log.Error("a source can't be loaded, nothing is changed", "source", f.source, "error", err)
			}
			f.err = err
			return 0, &loadError{err}
		}
	}
	for i, f := range some {
		if f.from == nil {
			continue
		}
		if f.err != nil {
			f.err = nil
			r.log.Info("a source can be loaded again", "source", f.source)
		}
		f.set(lists[i])
	}
	return r.reconcile(ctx)
}

// followSource loads a source whenever it changes.
func (r *Registry) followSource(ctx context.Context, f *feed) {
	for range f.from.Changes(ctx) {
		r.feeds.mu.Lock()
		count, err := r.load(ctx, f)
		r.feeds.mu.Unlock()
		switch loading := (*loadError)(nil); {
		case err == nil:
			r.log.Info("a source was loaded", "source", f.source, "changed", count)
		case !errors.As(err, &loading): // that was said already
			r.log.Error("a source could not be applied", "source", f.source, "error", err)
		}
	}
}

// reconcile brings the entries that sources own into line with their lists, as
// one change of the store if that takes so many writes at once. It returns how
// many entries were added or changed, other than by being dropped. The caller
// holds feeds.mu.
func (r *Registry) reconcile(ctx context.Context) (count int, err error) {
	entries, _ := r.view.all()
	backends := make([]storage.Backend, len(entries))
	for i, e := range entries {
		backends[i] = e.backend
	}
	for tries := 1; ; tries++ {
		writes, news := r.feeds.plan(backends, time.Now().Unix())
		stored, revision, err := r.apply(ctx, writes)
		count += min(stored, news)
		if err == nil {
			err = r.view.wait(ctx, revision)
		}
		// On a conflict somebody wrote one of these names meanwhile: compare
		// again, with the store itself, which knows of it before the view does.
		if errors.Is(err, storage.ErrConflict) && tries < maxTries {
			if backends, _, err = r.store.List(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return 0, fmt.Errorf("applying what the sources list: %w", err)
		}
		return count, nil
	}
}

// plan compares what is stored with what is listed, and returns what to write.
// The first of the writes, as many as news, add or change an entry.
func (fs *feeds) plan(stored []storage.Backend, now int64) (writes []storage.Write, news int) {
	var others []storage.Write
	byName := make(map[string]*storage.Backend, len(stored))
	for i := range stored {
		byName[stored[i].Name] = &stored[i]
	}
	planned := map[string]bool{}
	for _, f := range fs.all {
		// What is created here at once is equally new; lists of the newest
		// first show it in the order of the source.
		ids := make([]string, len(f.order))
		for i := range slices.Backward(ids) {
			ids[i] = newID()
		}
		for i, name := range f.order {
			b, listed := f.names(name)
			if !listed || planned[name] {
				continue
			}
			planned[name] = true
			w, changes := fs.planListed(f, byName[name], b, ids[i], now)
			switch {
			case changes:
				writes = append(writes, w)
			case w.Backend.Name != "":
				others = append(others, w)
			}
		}
	}
	for _, old := range stored {
		if planned[old.Name] || old.Runtime || old.Adopted || !old.Active {
			continue
		}
		if owner := fs.of(old.Source); owner == nil || owner.list == nil || owner.partial() {
			continue // nobody has said that it is gone
		}
		w := deactivated(old, storage.ReasonDropped, now)
		w.IfUnchanged = true
		others = append(others, w)
	}
	return append(writes, others...), len(writes)
}

// planListed tells what to write for a backend that f, the highest source that
// names it, lists (nothing: a write without a name), and whether that changes
// what clients see. old is what is stored, nil for nothing.
func (fs *feeds) planListed(f *feed, old *storage.Backend, b storage.Backend, id string, now int64) (w storage.Write, changes bool) {
	if old == nil {
		b.ID, b.Revision, b.Source, b.Active = id, 0, f.source, true
		b.RegisteredAt, b.CreatedAt, b.UpdatedAt = now, now, now
		return storage.Write{Backend: b, IfUnchanged: true, Cause: causeRegistered}, true
	}
	if old.Runtime || fs.mayOwn(*old, f) {
		return storage.Write{}, false
	}
	w = storage.Write{Backend: *old, IfUnchanged: true, Cause: causeUpdated}
	w.Backend.Source, w.Backend.Adopted = f.source, false
	returns := !old.Active && old.Reason == storage.ReasonDropped
	if old.Source == f.source && sameListing(*old, b) && !returns {
		if !old.Adopted {
			w.Backend.Name = ""
		}
		return w, false
	}
	if !old.Active {
		w.Cause = causeRegistered
	}
	w.Backend.Host, w.Backend.Port, w.Backend.Protocol = b.Host, b.Port, b.Protocol
	w.Backend.Description, w.Backend.Namespace = b.Description, b.Namespace
	w.Backend.Active, w.Backend.Reason = true, ""
	w.Backend.RegisteredAt, w.Backend.UpdatedAt = now, now
	return w, true
}

// mayOwn tells that the source which owns b stands above f and was not heard
// to have dropped it.
func (fs *feeds) mayOwn(b storage.Backend, f *feed) bool {
	if rank(b.Source) >= rank(f.source) {
		return false
	}
	owner := fs.of(b.Source)
	return b.Adopted || owner == nil || owner.list == nil
}

// erase notes that a name was deleted: it returns at the next load of a source
// that lists it. It runs remove, which deletes, while no source is applied.
func (r *Registry) erase(name string, remove func() error) error {
	r.feeds.mu.Lock()
	defer r.feeds.mu.Unlock()
	if err := remove(); err != nil {
		return err
	}
	for _, f := range r.feeds.all {
		if _, listed := f.list[name]; listed {
			f.erased[name] = true
		}
	}
	return nil
}

// sameListing tells whether b says what is stored already.
func sameListing(stored, b storage.Backend) bool {
	return stored.Host == b.Host && stored.Port == b.Port && stored.Protocol == b.Protocol &&
		sameText(stored.Description, b.Description) && sameText(stored.Namespace, b.Namespace)
}

func sameText(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}
