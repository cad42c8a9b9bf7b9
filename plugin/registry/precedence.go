// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// reconcile makes the entries that sources own what their lists say, as one
// change of the store if that takes so many writes at once. It returns how many
// entries were added or changed, other than by being dropped. The caller holds
// feeds.mu.
func (r *Registry) reconcile(ctx context.Context) (count int, err error) {
	entries, _ := r.view.all()
	backends := make([]storage.Backend, len(entries))
	for i, e := range entries {
		backends[i] = e.backend
	}
	var last int64 // the revision of the last change
	for tries := 1; ; tries++ {
		writes, news := r.feeds.plan(backends, time.Now().Unix())
		stored, revision, err := r.apply(ctx, writes)
		count, last = count+min(stored, news), max(last, revision)
		if err == nil {
			err = r.view.wait(ctx, last)
		}
		// On a conflict somebody else has written one of these names: compare
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
	byName := make(map[string]*storage.Backend, len(stored))
	for i := range stored {
		byName[stored[i].Name] = &stored[i]
	}
	var others []storage.Write
	planned := map[string]bool{}
	for _, f := range fs.all {
		// Entries that are created together are equally old. Lists, the newest
		// first, have them in the order of the source: so ids grow the other way.
		ids := make([]string, len(f.list))
		for i := range slices.Backward(ids) {
			ids[i] = newID()
		}
		for i, b := range f.list {
			if planned[b.Name] {
				continue
			}
			planned[b.Name] = true
			switch w, visible := fs.planListed(f, byName[b.Name], b, ids[i], now); {
			case w == nil:
			case visible:
				writes = append(writes, *w)
			default:
				others = append(others, *w)
			}
		}
	}
	for _, old := range stored {
		if planned[old.Name] || old.Runtime || old.Adopted || old.Inactive.Has(storage.ReasonDropped) {
			continue
		}
		if owner := fs.of(old.Source); owner == nil || !owner.loaded || owner.from == nil {
			continue // it may still exist: a hub that was not discovered may only be silent
		}
		w := deactivated(old, storage.ReasonDropped, now)
		w.IfUnchanged = true
		others = append(others, w)
	}
	return append(writes, others...), len(writes)
}

// planListed returns what to write for a backend that f lists, and no source of
// higher precedence; nil for nothing. visible reports whether clients see the
// change. old is what is stored, nil for nothing.
func (fs *feeds) planListed(f *feed, old *storage.Backend, b storage.Backend, id string, now int64) (w *storage.Write, visible bool) {
	if old == nil {
		b.ID, b.Revision, b.Source = id, 0, f.source
		b.RegisteredAt, b.CreatedAt, b.UpdatedAt = now, now, now
		return &storage.Write{Backend: b, IfUnchanged: true, Cause: causeRegistered}, true
	}
	if old.Runtime || fs.mayOwn(*old, f) {
		return nil, false
	}
	w = &storage.Write{Backend: *old, IfUnchanged: true, Cause: causeUpdated}
	w.Backend.Source, w.Backend.Adopted = f.source, false
	if old.Source == f.source && sameListing(*old, b) {
		if !old.Inactive.Has(storage.ReasonDropped) {
			if !old.Adopted {
				w = nil
			}
			return w, false
		}
		w.Backend.Inactive &^= storage.ReasonDropped
	} else {
		w.Backend.Inactive &= storage.ReasonUnhealthy
	}
	w.Backend.Host, w.Backend.Port, w.Backend.Protocol = b.Host, b.Port, b.Protocol
	w.Backend.Description, w.Backend.Namespace = b.Description, b.Namespace
	relocate(*old, &w.Backend)
	if !old.Active() && w.Backend.Active() {
		w.Cause = causeRegistered
	}
	w.Backend.RegisteredAt, w.Backend.UpdatedAt = now, now
	return w, true
}

// mayOwn reports whether the source of b takes precedence over f and is not known
// to have dropped b.
func (fs *feeds) mayOwn(b storage.Backend, f *feed) bool {
	if rank(b.Source) >= rank(f.source) {
		return false
	}
	owner := fs.of(b.Source)
	return b.Adopted || owner == nil || !owner.loaded
}

// sameListing reports whether b says what is stored already.
func sameListing(stored, b storage.Backend) bool {
	return stored.Host == b.Host && stored.Port == b.Port && stored.Protocol == b.Protocol &&
		sameText(stored.Description, b.Description) && sameText(stored.Namespace, b.Namespace)
}

func sameText(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}
