// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// Register adds a backend, or replaces the address of the one of that name and
// activates it again: what is registered at run time wins over everything.
func (r *Registry) Register(ctx context.Context, in RegisterParams) (Event, error) {
	if err := in.Validate(); err != nil {
		return Event{}, &plugin.ParamsError{Reason: err.Error()}
	}
	b, err := r.write(ctx, in.Name, func(old *storage.Backend, now int64) storage.Backend {
		if old == nil {
			b := in.backend(storage.Backend{ID: newID(), CreatedAt: now})
			b.RegisteredAt, b.UpdatedAt = now, now
			return b
		}
		b := in.backend(*old)
		b.LastSeen = now
		if !sameRegistration(*old, b) {
			b.RegisteredAt, b.UpdatedAt = now, now
		}
		return b
	})
	if err != nil {
		return Event{}, err
	}
	return Event{Registered: &BackendEvent{Backend: *b}}, nil
}

// sameRegistration tells whether registering b over old changed nothing but
// the moment at which it was last seen.
func sameRegistration(old, b storage.Backend) bool {
	return sameListing(old, b) && sameText(old.Version, b.Version) && bytes.Equal(old.Metadata, b.Metadata) &&
		old.Source == b.Source && old.Runtime == b.Runtime && old.Active == b.Active
}

// List returns the active entries, or all of them, the newest first.
func (r *Registry) List(_ context.Context, in ListParams) (Event, error) {
	activeOnly := valueOr(in.ActiveOnly, true)
	infos := r.view.newest(func(e *entry) bool { return e.backend.Active || !activeOnly })
	return Event{Backends: &BackendsEvent{Backends: infos}}, nil
}

// Get returns the entry of that name; none is no error.
func (r *Registry) Get(_ context.Context, in NameParams) (Event, error) {
	lookup := &LookupEvent{}
	if e := r.view.get(in.Name); e != nil {
		lookup.Backend = e.info
	}
	return Event{Backend: lookup}, nil
}

// Update changes what is given of an entry, and nothing else.
func (r *Registry) Update(ctx context.Context, in UpdateParams) (Event, error) {
	if err := in.Validate(); err != nil {
		return Event{}, &plugin.ParamsError{Reason: err.Error()}
	}
	b, err := r.change(ctx, in.Name, func(b *storage.Backend, now int64) {
		if in == (UpdateParams{Name: in.Name}) {
			return // nothing is given
		}
		in.apply(b)
		b.UpdatedAt = now
		if !b.Runtime {
			b.Source, b.Runtime = storage.SourceManual, true
		}
	})
	if errors.Is(err, storage.ErrNotFound) {
		return notFound(in.Name), nil
	}
	if err != nil {
		return Event{}, err
	}
	return Event{Updated: &BackendEvent{Backend: *b}}, nil
}

// Delete erases an entry. One that a source still lists returns when that is
// loaded the next time.
func (r *Registry) Delete(ctx context.Context, in NameParams) (Event, error) {
	ctx = context.WithoutCancel(ctx)
	changes, err := r.store.Apply(ctx, storage.Write{Backend: storage.Backend{Name: in.Name}, Delete: true})
	if errors.Is(err, storage.ErrNotFound) {
		return notFound(in.Name), nil
	}
	if err == nil {
		err = r.applied(changes)
	}
	if err != nil {
		return Event{}, failed(in.Name, err)
	}
	return Event{Deleted: &NameEvent{Name: in.Name}}, nil
}

// Ping notes that a backend was seen, and activates it again.
func (r *Registry) Ping(ctx context.Context, in NameParams) (Event, error) {
	_, err := r.change(ctx, in.Name, func(b *storage.Backend, now int64) {
		b.LastSeen = now
		if !b.Active {
			b.Active, b.UpdatedAt = true, now
		}
	})
	if errors.Is(err, storage.ErrNotFound) {
		return Event{Ping: &PingEvent{Name: in.Name, Message: notFoundMessage(in.Name)}}, nil
	}
	if err != nil {
		return Event{}, err
	}
	return Event{Ping: &PingEvent{Name: in.Name, Success: true, Message: "Backend health check updated"}}, nil
}

// Deregister deactivates an entry and keeps it.
func (r *Registry) Deregister(ctx context.Context, in NameParams) (Event, error) {
	_, err := r.change(ctx, in.Name, func(b *storage.Backend, now int64) {
		if b.Active {
			b.Active, b.UpdatedAt = false, now
		}
	})
	if errors.Is(err, storage.ErrNotFound) {
		return notFound(in.Name), nil
	}
	if err != nil {
		return Event{}, err
	}
	return Event{Deregistered: &NameEvent{Name: in.Name}}, nil
}

// Reload loads the sources again. Where one can't be, the registry stays as it
// was, and the caller is told why.
func (r *Registry) Reload(ctx context.Context, _ plugin.None) (Event, error) {
	count, err := r.reload(context.WithoutCancel(ctx))
	if loading := (*loadError)(nil); errors.As(err, &loading) {
		r.log.Warn("reload failed", "error", err)
		return Event{Error: &ErrorEvent{Message: err.Error()}}, nil
	}
	if err != nil {
		return Event{}, &plugin.Error{Message: "the registry could not store what its sources list", Err: err}
	}
	return Event{Reloaded: &ReloadedEvent{Count: uint(count)}}, nil
}

// change is write for an entry that must exist: else it is
// storage.ErrNotFound.
func (r *Registry) change(ctx context.Context, name string, edit func(b *storage.Backend, now int64)) (*BackendInfo, error) {
	return r.write(ctx, name, func(old *storage.Backend, now int64) storage.Backend {
		if old == nil {
			return storage.Backend{}
		}
		b := *old
		edit(&b, now)
		return b
	})
}

// write stores what make makes of the present entry, nil where there is none;
// a backend without a name means storage.ErrNotFound. It finishes though the
// caller leaves, and tries again when somebody else changed the entry in
// between; the registry's own writes of one name wait for one another.
func (r *Registry) write(ctx context.Context, name string, make func(old *storage.Backend, now int64) storage.Backend) (*BackendInfo, error) {
	ctx = context.WithoutCancel(ctx)
	defer r.writing.lock(name).Unlock()
	var old *storage.Backend
	if e := r.view.get(name); e != nil {
		old = &e.backend
	}
	for tries := 1; ; tries++ {
		w := storage.Write{Backend: make(old, time.Now().Unix()), If: unchanged(old)}
		if w.Backend.Name == "" {
			return nil, storage.ErrNotFound
		}
		changes, err := r.store.Apply(ctx, w)
		if err == nil {
			if err := r.applied(changes); err != nil {
				return nil, failed(name, err)
			}
			return newInfo(changes[0].Backend)
		}
		if errors.Is(err, storage.ErrConflict) && tries < mostTries {
			old, err = r.stored(ctx, name)
		}
		if err != nil {
			return nil, failed(name, err)
		}
	}
}

// mostTries bounds how often a write is tried that others keep getting in the
// way of: each time one of them has got through.
const mostTries = 1000

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

// unchanged holds as long as an entry is as it was, nil for absent.
func unchanged(old *storage.Backend) storage.Condition {
	if old == nil {
		return storage.IfAbsent()
	}
	return storage.IfRevision(old.Revision)
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

// applied brings changes that the store has made into the view.
func (r *Registry) applied(changes []storage.Change) error {
	for _, c := range changes {
		if err := r.view.apply(c); err != nil {
			return err
		}
	}
	return nil
}

// failed is what a caller is told when the store fails.
func failed(name string, err error) error {
	return &plugin.Error{Message: fmt.Sprintf("the registry could not store %q", name), Err: err}
}
