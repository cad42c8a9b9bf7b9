// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// leases are the deadlines of the entries that have a lease, by name. They are
// kept in memory only: after a restart every lease has one full term.
type leases struct {
	mu        sync.Mutex
	deadlines map[string]deadline
	next      time.Time // no deadline is before it; zero for none at all
	timer     *time.Timer
}

type deadline struct {
	lease string // its id
	at    time.Time
}

// start gives the lease of an entry one full term from now, and ends a former
// one. It comes before the write of the entry, so that a renewed lease does not
// expire in between.
func (l *leases) start(b storage.Backend) {
	if b.LeaseSeconds == 0 {
		l.end(b.Name)
		return
	}
	at := time.Now().Add(time.Duration(b.LeaseSeconds) * time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadlines[b.Name] = deadline{b.LeaseID, at}
	l.wake(at)
}

// wake lets the timer fire at that time, or before. The caller holds mu.
func (l *leases) wake(at time.Time) {
	if l.next.IsZero() || at.Before(l.next) {
		l.next = at
		l.timer.Reset(time.Until(at))
	}
}

// end forgets the lease of a name.
func (l *leases) end(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.deadlines, name)
}

// due returns the deadlines that have passed, by name. The timer fires for the next
// one.
func (l *leases) due(now time.Time) map[string]deadline {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = time.Time{}
	due := map[string]deadline{}
	for name, d := range l.deadlines {
		if d.at.After(now) {
			l.wake(d.at)
		} else {
			due[name] = d
		}
	}
	return due
}

// has reports whether a deadline is still that of its name.
func (l *leases) has(name string, d deadline) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadlines[name] == d
}

// forget ends the lease of a name, unless it was renewed.
func (l *leases) forget(name string, d deadline) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadlines[name] == d {
		delete(l.deadlines, name)
	}
}

// restoreLease starts the lease of the stored entry, after a registration of it
// has started its own and failed.
func (r *Registry) restoreLease(name string) {
	if e := r.view.get(name); e != nil && !e.backend.Inactive.Has(storage.ReasonExpired) {
		r.leases.start(e.backend)
	} else {
		r.leases.end(name)
	}
}

// watchLeases deactivates the entries whose leases are not renewed in time, until
// ctx is done. The lease of an entry that is inactive for another reason runs on.
func (r *Registry) watchLeases(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.leases.timer.C:
		}
		for name, d := range r.leases.due(time.Now()) {
			if err := r.expire(ctx, name, d); err != nil {
				r.log.Error("an expired lease could not be stored", "backend", name, "error", err)
				r.leases.mu.Lock()
				r.leases.wake(time.Now().Add(storeRetry))
				r.leases.mu.Unlock()
			}
		}
	}
}

// expire notes that the lease with that deadline is over.
func (r *Registry) expire(ctx context.Context, name string, d deadline) error {
	_, err := r.write(ctx, name, func(old *storage.Backend, now int64) (storage.Write, error) {
		if old == nil || old.LeaseID != d.lease || old.Inactive.Has(storage.ReasonExpired) || !r.leases.has(name, d) {
			return storage.Write{}, refusal("the lease was renewed")
		}
		return deactivated(*old, storage.ReasonExpired, now), nil
	})
	if refused := refusal(""); err != nil && !errors.As(err, &refused) {
		return err
	} else if err == nil {
		r.log.Info("a lease was not renewed", "backend", name)
	}
	r.leases.forget(name, d)
	return nil
}
