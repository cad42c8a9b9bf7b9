// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// DefaultForgetAfter is how long an entry that is gone is kept unless
// WithForgetAfter sets another time.
const DefaultForgetAfter = 30 * 24 * time.Hour

const (
	// maxGone bounds how many entries that are gone are kept: to register and to
	// deregister costs no quota. The latest ones stay.
	maxGone = DefaultRegistrations
	// The bounds of how often they are looked for.
	minForgetInterval, maxForgetInterval = time.Second, time.Minute
	// An entry that is gone is probed in each round until so many probes have failed,
	// and then after twice the time each, up to an hour.
	promptProbes = 20
	maxProbeWait = time.Hour
)

// forgetGone deletes the entries that have been inactive for too long, until ctx is
// done.
func (r *Registry) forgetGone(ctx context.Context) {
	ticker := time.NewTicker(min(max(r.forgetAfter/10, minForgetInterval), maxForgetInterval))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := r.forget(ctx, time.Now()); err != nil && ctx.Err() == nil {
				r.log.Error("entries that are gone could not be deleted", "error", err)
			}
		}
	}
}

// forget deletes the entries that were gone for forgetAfter, and the ones that were
// gone first where there are more than maxGone.
func (r *Registry) forget(ctx context.Context, now time.Time) error {
	var gone []*entry
	r.view.read(func(entries []*entry) {
		for _, e := range entries {
			// What another program has deactivated is its own.
			if !e.backend.Active() && !e.backend.Inactive.Has(storage.ReasonUnknown) {
				gone = append(gone, e)
			}
		}
	})
	if len(gone) == 0 {
		return nil
	}
	r.feeds.mu.Lock()
	defer r.feeds.mu.Unlock()
	gone = slices.DeleteFunc(gone, func(e *entry) bool { return r.feeds.lists(e.backend.Name) })
	slices.SortFunc(gone, func(a, b *entry) int { return cmp.Compare(a.goneSince(), b.goneSince()) })
	excess := max(len(gone)-maxGone, 0)
	old := slices.IndexFunc(gone, func(e *entry) bool { return now.Unix()-e.goneSince() < int64(r.forgetAfter/time.Second) })
	if old < 0 {
		old = len(gone)
	}
	gone = gone[:max(excess, old)]
	if len(gone) == 0 {
		return nil
	}
	writes := make([]storage.Write, len(gone))
	for i, e := range gone {
		writes[i] = storage.Write{Backend: e.backend, Delete: true, IfUnchanged: true}
		r.unlist(e.backend.Name)
	}
	r.log.Info("entries that are gone are deleted", "count", len(gone))
	return r.applyUnchanged(ctx, writes)
}

// goneSince is when an inactive entry was last heard of, or became inactive.
func (e *entry) goneSince() int64 {
	return max(e.backend.UpdatedAt, e.backend.RegisteredAt, e.backend.LastSeen)
}

// lists reports whether a source that is loaded lists a name. The caller holds mu.
func (fs *feeds) lists(name string) bool {
	return slices.ContainsFunc(fs.all, func(f *feed) bool {
		return f.from != nil && slices.ContainsFunc(f.list, func(b storage.Backend) bool { return b.Name == name })
	})
}

// unlist makes no source list an entry that is deleted, until the source is loaded
// again, or the entry discovered again. The caller holds feeds.mu.
func (r *Registry) unlist(name string) {
	for _, f := range r.feeds.all {
		f.list = slices.DeleteFunc(f.list, func(b storage.Backend) bool { return b.Name == name })
	}
	for i, found := range r.discovery.found {
		if found == name {
			r.discovery.found[i] = ""
		}
	}
}

// isDue reports whether an entry is to be probed in this round. One that is gone, and
// fails, is probed ever more seldom, until it gives a sign of life.
func (e *entry) isDue(now time.Time, interval time.Duration) bool {
	c := e.condition
	if e.backend.Active() || c == nil || c.failures <= promptProbes || e.backend.LastSeen >= c.at.Unix() {
		return true
	}
	wait := maxProbeWait
	if doublings := c.failures - promptProbes; doublings < 16 {
		wait = min(interval<<doublings, max(interval, maxProbeWait))
	}
	return now.Sub(c.at) >= wait-interval/2 // rounds are not equally long
}
