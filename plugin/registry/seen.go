// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// When a backend was last seen is known in memory first, and stored now and then:
// that is no change of the backend, and the store is not written to for it each time.
// A process that dies loses what it has seen since, at most as long as this.
const storeSeenInterval = time.Minute

// saw notes when a backend was seen.
func (v *view) saw(name string, at int64) {
	v.updating.Lock()
	defer v.updating.Unlock()
	e := v.get(name)
	if e == nil || at <= e.backend.LastSeen {
		return
	}
	e = e.with(e.condition, at)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(name, e)
}

// with is an entry that is the same but for its condition, and for when it was last
// seen if that is later.
func (e *entry) with(c *condition, seen int64) *entry {
	b := e.backend
	b.LastSeen = max(b.LastSeen, seen)
	fresh := newEntry(b, c)
	fresh.storedSeen = e.storedSeen
	return fresh
}

// unchanged reports whether a write is a renewal: it stores nothing new but when the
// backend was last seen. What a call registers or takes back is always news.
func unchanged(old *storage.Backend, w storage.Write) bool {
	b := &w.Backend
	return old != nil && w.Cause == causeUpdated && sameRegistration(*old, *b) && old.LeaseID == b.LeaseID &&
		old.Adopted == b.Adopted && old.RegisteredAt == b.RegisteredAt && old.UpdatedAt == b.UpdatedAt
}

// keepSeen stores when backends were last seen, until ctx is done.
func (r *Registry) keepSeen(ctx context.Context) {
	ticker := time.NewTicker(storeSeenInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := r.storeSeen(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("it will be tried again", "error", err)
			}
		}
	}
}

// storeSeen stores when backends were last seen, where the store does not know that.
func (r *Registry) storeSeen(ctx context.Context) error {
	seen := map[string]int64{}
	r.view.read(func(entries []*entry) {
		for _, e := range entries {
			if e.backend.LastSeen > e.storedSeen {
				seen[e.backend.Name] = e.backend.LastSeen
			}
		}
	})
	if len(seen) == 0 {
		return nil
	}
	if err := r.store.Seen(ctx, seen); err != nil {
		return fmt.Errorf("storing when backends were last seen: %w", err)
	}
	r.view.updating.Lock() // with reads it
	defer r.view.updating.Unlock()
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	for name, at := range seen {
		if e := r.view.byName[name]; e != nil {
			e.storedSeen = max(e.storedSeen, at)
		}
	}
	return nil
}
