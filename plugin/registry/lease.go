// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// errOver says that a lease is not that of the present registration.
var errOver = errors.New("the lease is over")

// leases are the deadlines of leased entries, by name. They are kept in memory
// only: after a restart, every lease has one full term.
type leases struct {
	mu        sync.Mutex
	deadlines map[string]deadline
	next      time.Time     // when the first one is due, zero for never
	sooner    chan struct{} // tells that next is sooner than it was
}

func newLeases() *leases {
	return &leases{deadlines: map[string]deadline{}, sooner: make(chan struct{}, 1)}
}

type deadline struct {
	id string // of the lease
	at time.Time
}

// renew gives a lease one full term from now. It comes before the write that
// shows the renewal, so that the entry does not expire in between.
func (l *leases) renew(b storage.Backend) {
	if b.LeaseSeconds == 0 {
		return
	}
	at := time.Now().Add(time.Duration(b.LeaseSeconds) * time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadlines[b.Name] = deadline{id: b.LeaseID, at: at}
	if l.next.IsZero() || at.Before(l.next) {
		l.next = at
		select {
		case l.sooner <- struct{}{}:
		default:
		}
	}
}

// due lists the leases whose time has come, by name, and tells when to look
// again, zero for not before one is given.
func (l *leases) due(now time.Time) (due map[string]string, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due = map[string]string{}
	for name, d := range l.deadlines {
		if !d.at.After(now) {
			due[name] = d.id
		} else if next.IsZero() || d.at.Before(next) {
			next = d.at
		}
	}
	l.next = next
	return due, next
}

// passed tells that a lease is due still.
func (l *leases) passed(name, id string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.deadlines[name]
	return ok && d.id == id && !d.at.After(now)
}

func (l *leases) forget(name, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadlines[name].id == id {
		delete(l.deadlines, name)
	}
}

// retryLease is when a lease that could not be stored as expired is looked at
// again.
const retryLease = time.Second

// drop forgets the lease of a name, whichever it is.
func (l *leases) drop(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.deadlines, name)
}

// restoreLease gives the present lease of a name, if it has one, a term: a
// registration that failed has put its own in that place.
func (r *Registry) restoreLease(name string) {
	r.leases.drop(name)
	if e := r.view.get(name); e != nil && e.backend.Active {
		r.leases.renew(e.backend)
	}
}

// watchLeases deactivates the entries whose leases were not renewed, until ctx
// is done.
func (r *Registry) watchLeases(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.leases.sooner:
		case <-timer.C:
		}
		due, next := r.leases.due(time.Now())
		for name, id := range due {
			if err := r.expire(ctx, name, id); err != nil {
				r.log.Error("an expired lease could not be stored", "backend", name, "error", err)
				next = time.Now().Add(retryLease)
			}
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
	}
}

// errRenewed says that a lease was renewed after all.
var errRenewed = errors.New("the lease was renewed")

func (r *Registry) expire(ctx context.Context, name, id string) error {
	_, err := r.write(ctx, name, func(old *storage.Backend, now int64) (storage.Write, error) {
		if old == nil || old.LeaseID != id || !old.Active || !r.leases.passed(name, id, time.Now()) {
			return storage.Write{}, errRenewed
		}
		return deactivated(*old, storage.ReasonExpired, now), nil
	})
	switch {
	case errors.Is(err, errRenewed):
		// Another registration has taken its place, or it was renewed.
		if !r.leases.passed(name, id, time.Now()) {
			return nil
		}
	case err != nil:
		return err // tried again at the next look
	default:
		r.log.Info("a lease was not renewed", "backend", name)
	}
	r.leases.forget(name, id)
	return nil
}
