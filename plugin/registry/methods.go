// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// register adds a backend, or replaces the address of the one of that name and
// activates it again: what is registered at run time wins over everything.
func (r *Registry) register(ctx context.Context, in registerParams) (event, error) {
	if err := in.Validate(); err != nil {
		return event{}, plugin.InvalidParams(err.Error())
	}
	if len(in.Name) > r.nameBytes {
		return event{}, plugin.InvalidParams(fmt.Sprintf("name: %d bytes, more than %d", len(in.Name), r.nameBytes))
	}
	// Until the end: who deletes the entry meanwhile must not take away what
	// this registration counts, or its lease.
	defer r.writing.lock(in.Name).Unlock()
	undo, err := r.quota.take(ctx, in.Name)
	if err != nil {
		return event{}, err
	}
	c, err := r.writeLocked(ctx, in.Name, func(old *storage.Backend, now int64) (storage.Write, error) {
		w := storage.Write{Cause: causeRegistered}
		if old == nil {
			w.Backend = in.backend(storage.Backend{ID: newID(), CreatedAt: now})
			w.Backend.RegisteredAt, w.Backend.UpdatedAt = now, now
		} else {
			w.Backend = in.backend(*old)
			w.Backend.LastSeen = now
			if !sameRegistration(*old, w.Backend) {
				w.Backend.RegisteredAt, w.Backend.UpdatedAt = now, now
			}
		}
		r.leases.renew(w.Backend)
		return w, nil
	})
	if err != nil {
		undo()
		r.restoreLease(in.Name)
		return event{}, failed(in.Name, err)
	}
	return event{Registered: &backendEvent{Backend: *r.view.infoOf(c.After), LeaseID: c.After.LeaseID}}, nil
}

// sameRegistration tells whether registering b over old changed nothing but
// the moment at which it was last seen, and its lease.
func sameRegistration(old, b storage.Backend) bool {
	return sameListing(old, b) && sameText(old.Version, b.Version) && bytes.Equal(old.Metadata, b.Metadata) &&
		old.Source == b.Source && old.Runtime == b.Runtime && old.Active == b.Active && old.LeaseSeconds == b.LeaseSeconds
}

// get returns the entry of that name; none is no error.
func (r *Registry) get(_ context.Context, in nameParams) (event, error) {
	lookup := &lookupEvent{}
	if e := r.view.get(in.Name); e != nil {
		lookup.Backend = e.info
	}
	return event{Backend: lookup}, nil
}

// update changes what is given of an entry, and nothing else.
func (r *Registry) update(ctx context.Context, in updateParams) (event, error) {
	if err := in.Validate(); err != nil {
		return event{}, plugin.InvalidParams(err.Error())
	}
	c, err := r.write(ctx, in.Name, func(old *storage.Backend, now int64) (storage.Write, error) {
		if old == nil {
			return storage.Write{}, storage.ErrNotFound
		}
		b := *old
		if in == (updateParams{Name: in.Name}) {
			return storage.Write{Backend: b, Cause: causeUpdated}, nil // nothing is given
		}
		in.apply(&b)
		b.UpdatedAt = now
		if !b.Runtime {
			b.Source, b.Runtime, b.Adopted = storage.SourceManual, true, false
		}
		return storage.Write{Backend: b, Cause: causeUpdated}, nil
	})
	if err != nil {
		return failure(in.Name, nil, err)
	}
	return event{Updated: &backendEvent{Backend: *r.view.infoOf(c.After)}}, nil
}

// delete erases an entry. One that a source still lists returns when that is
// loaded the next time.
func (r *Registry) delete(ctx context.Context, in leaseParams) (event, error) {
	err := r.erase(in.Name, func() error {
		defer r.writing.lock(in.Name).Unlock()
		_, err := r.writeLocked(ctx, in.Name, func(old *storage.Backend, _ int64) (storage.Write, error) {
			return storage.Write{Backend: storage.Backend{Name: in.Name}, Delete: true}, in.check(old)
		})
		if err == nil {
			r.leases.drop(in.Name)
			r.quota.release(in.Name)
		}
		return err
	})
	if err != nil {
		return failure(in.Name, in.LeaseID, err)
	}
	return event{Deleted: &nameEvent{Name: in.Name}}, nil
}

// ping notes that a backend was seen, activates it again and renews its lease.
func (r *Registry) ping(ctx context.Context, in leaseParams) (event, error) {
	activated := false
	_, err := r.write(ctx, in.Name, func(old *storage.Backend, now int64) (storage.Write, error) {
		if err := in.check(old); err != nil {
			return storage.Write{}, err
		}
		b := *old
		b.LastSeen = now
		w := storage.Write{Cause: causeUpdated}
		if activated = !b.Active; activated {
			b.Active, b.Reason, b.UpdatedAt = true, "", now
			w.Cause = causeRegistered
		}
		r.leases.renew(b)
		w.Backend = b
		return w, nil
	})
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, errOver) {
		return event{Ping: &pingEvent{Name: shown(in.Name), Message: refusal(in.Name, in.LeaseID, err)}}, nil
	}
	if err != nil {
		return failure(in.Name, in.LeaseID, err)
	}
	return event{Ping: &pingEvent{Name: in.Name, Success: true, Message: "Backend health check updated", activated: activated}}, nil
}

// deregister deactivates an entry and keeps it.
func (r *Registry) deregister(ctx context.Context, in leaseParams) (event, error) {
	_, err := r.write(ctx, in.Name, func(old *storage.Backend, now int64) (storage.Write, error) {
		if err := in.check(old); err != nil {
			return storage.Write{}, err
		}
		return deactivated(*old, storage.ReasonDeregistered, now), nil
	})
	if err != nil {
		return failure(in.Name, in.LeaseID, err)
	}
	return event{Deregistered: &nameEvent{Name: in.Name}}, nil
}

// deactivated is the write that deactivates b. The reason is the last one.
func deactivated(b storage.Backend, reason storage.Reason, now int64) storage.Write {
	if b.Active {
		b.Active, b.UpdatedAt = false, now
	}
	b.Reason = reason
	return storage.Write{Backend: b, Cause: causeDeregistered}
}

// check refuses what concerns another registration than the present one.
func (p *leaseParams) check(old *storage.Backend) error {
	switch {
	case old == nil:
		return storage.ErrNotFound
	case p.LeaseID != nil && *p.LeaseID != old.LeaseID:
		return errOver
	}
	return nil
}

// reload loads the sources again. The caller is told why one can't be loaded.
func (r *Registry) reload(ctx context.Context, _ plugin.None) (event, error) {
	count, err := r.Reload(context.WithoutCancel(ctx))
	if loading := (*loadError)(nil); errors.As(err, &loading) {
		return event{Error: &errorEvent{Message: err.Error()}}, nil
	}
	if err != nil {
		return event{}, &plugin.Error{Message: "the registry could not store what its sources list", Err: err}
	}
	return event{Reloaded: &reloadedEvent{Count: uint(count)}}, nil
}

// write stores what make makes of the present entry, nil where there is none,
// and returns what it changed, which every read shows from then on. It finishes
// though the caller leaves, and tries again when somebody else changed the entry
// in between; the registry's own writes of one name wait for one another. An
// error of make is returned as it is.
func (r *Registry) write(ctx context.Context, name string, make func(old *storage.Backend, now int64) (storage.Write, error)) (storage.EntryChange, error) {
	defer r.writing.lock(name).Unlock()
	return r.writeLocked(ctx, name, make)
}

// writeLocked is write for who holds the lock of the name.
func (r *Registry) writeLocked(ctx context.Context, name string, make func(old *storage.Backend, now int64) (storage.Write, error)) (storage.EntryChange, error) {
	ctx = context.WithoutCancel(ctx)
	var old *storage.Backend
	if e := r.view.get(name); e != nil {
		b := e.backend
		if e.condition != nil {
			b.LastSeen = max(b.LastSeen, e.condition.seen)
		}
		old = &b
	}
	for tries := 1; ; tries++ {
		w, err := make(old, time.Now().Unix())
		if err != nil {
			return storage.EntryChange{}, err
		}
		w.IfUnchanged, w.Backend.Revision = true, 0
		if old != nil {
			w.Backend.Revision = old.Revision
		}
		change, err := r.store.Apply(ctx, w)
		if err == nil {
			return change.Entries[0], r.view.wait(ctx, change.Revision)
		}
		if errors.Is(err, storage.ErrConflict) && tries < maxTries {
			old, err = r.stored(ctx, name)
		}
		if err != nil {
			return storage.EntryChange{}, err
		}
	}
}

// maxTries bounds how often a write is tried that others keep getting in the way
// of: each time one of them has succeeded.
const maxTries = 1000

// apply stores writes as one change, or as several where the store takes fewer
// at once. It returns how many were stored, and the revision of the last change,
// 0 for none.
func (r *Registry) apply(ctx context.Context, writes []storage.Write) (stored int, revision int64, err error) {
	for some := range slices.Chunk(writes, cmp.Or(r.store.MaxWrites(), max(len(writes), 1))) {
		change, err := r.store.Apply(ctx, some...)
		if err != nil {
			return stored, revision, err
		}
		stored, revision = stored+len(some), change.Revision
	}
	return stored, revision, nil
}

// nameLocks holds up the writes of one name, and of few others.
type nameLocks struct {
	seed  maphash.Seed
	locks [256]sync.Mutex
}

func (l *nameLocks) lock(name string) *sync.Mutex {
	lock := &l.locks[maphash.String(l.seed, name)%uint64(len(l.locks))]
	lock.Lock()
	return lock
}

// stored reads an entry from the store itself, which knows of a change before
// the view does; nil if there is none.
func (r *Registry) stored(ctx context.Context, name string) (*storage.Backend, error) {
	b, err := r.store.Get(ctx, name)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// failure is the answer where an entry could not be written.
func failure(name string, lease *string, err error) (event, error) {
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, errOver) {
		return event{Error: &errorEvent{Message: refusal(name, lease, err)}}, nil
	}
	return event{}, failed(name, err)
}

// refusal says why an entry is not written.
func refusal(name string, lease *string, err error) string {
	if errors.Is(err, errOver) {
		return fmt.Sprintf("Lease %s is not the present one of backend %s", shown(*lease), shown(name))
	}
	return "Backend not found: " + shown(name)
}

// shown shortens what a caller sent, so that an answer stays readable.
func shown(s string) string {
	const most = 2 * storage.MaxNameBytes
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// failed is what a caller is told when the store fails.
func failed(name string, err error) error {
	return &plugin.Error{Message: fmt.Sprintf("the registry could not store %q", name), Err: err}
}

// storeSeen stores when backends were last seen, which probes note in memory
// only.
func (r *Registry) storeSeen(ctx context.Context) error {
	var writes []storage.Write
	entries, _ := r.view.all()
	for _, e := range entries {
		if e.condition == nil || e.condition.seen <= e.backend.LastSeen {
			continue
		}
		b := e.backend
		b.LastSeen = e.condition.seen
		writes = append(writes, storage.Write{Backend: b, IfUnchanged: true, Cause: causeUpdated})
	}
	if _, _, err := r.apply(ctx, writes); err != nil && !errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("storing when backends were last seen: %w", err)
	}
	return nil
}
