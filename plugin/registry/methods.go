// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// register adds a backend, or replaces the address of the one of that name and
// activates it. What a call registers takes precedence over all sources.
func (r *Registry) register(ctx context.Context, in registerParams) (event, error) {
	if len(in.Name) > r.nameBytes {
		return event{}, plugin.InvalidParams(fmt.Sprintf("name: %d bytes, more than %d", len(in.Name), r.nameBytes))
	}
	// Until the end: a deletion meanwhile must not take away what this
	// registration counts, or its lease.
	defer r.writing.lock(in.Name).Unlock()
	undo, err := r.quota.take(ctx, in.Name)
	if err != nil {
		return event{}, err
	}
	b, err := r.writeLocked(ctx, in.Name, func(old *storage.Backend, now int64) (storage.Write, error) {
		w := storage.Write{Cause: causeRegistered}
		if old == nil {
			w.Backend = in.backend(storage.Backend{ID: newID(), CreatedAt: now})
			w.Backend.RegisteredAt, w.Backend.UpdatedAt = now, now
		} else {
			w.Backend = in.backend(*old)
			w.Backend.LastSeen = now
			relocate(*old, &w.Backend)
			if !sameRegistration(*old, w.Backend) {
				w.Backend.RegisteredAt, w.Backend.UpdatedAt = now, now
			}
		}
		r.leases.start(w.Backend)
		return w, nil
	})
	if err != nil {
		undo()
		r.restoreLease(in.Name)
		return failure(in.Name, err)
	}
	if b.Inactive.Has(storage.ReasonUnhealthy) && r.health.probes() {
		r.rechecks.want(b.Name)
	}
	return event{Registered: &backendEvent{Backend: *r.view.infoOf(b), LeaseID: b.LeaseID}}, nil
}

// sameRegistration reports whether registering b over old changes nothing but
// its lease, and when it was last seen.
func sameRegistration(old, b storage.Backend) bool {
	return sameListing(old, b) && sameText(old.Version, b.Version) && bytes.Equal(old.Metadata, b.Metadata) &&
		old.Source == b.Source && old.Runtime == b.Runtime && old.Inactive == b.Inactive && old.LeaseSeconds == b.LeaseSeconds
}

// get returns the entry of that name; that there is none is not an error.
func (r *Registry) get(_ context.Context, in nameParams) (event, error) {
	found := &lookupEvent{}
	if e := r.view.get(in.Name); e != nil {
		found.Backend = e.info
	}
	return event{Backend: found}, nil
}

// update changes what is given of an entry, and no more.
func (r *Registry) update(ctx context.Context, in updateParams) (event, error) {
	b, err := r.write(ctx, in.Name, func(old *storage.Backend, now int64) (storage.Write, error) {
		if old == nil {
			return storage.Write{}, notFound(in.Name)
		}
		w := storage.Write{Backend: *old, Cause: causeUpdated}
		if in == (updateParams{Name: in.Name}) {
			return w, nil // nothing is given
		}
		in.apply(&w.Backend)
		relocate(*old, &w.Backend)
		w.Backend.UpdatedAt = now
		if !w.Backend.Runtime {
			w.Backend.Source, w.Backend.Runtime, w.Backend.Adopted = storage.SourceManual, true, false
		}
		return w, nil
	})
	if err != nil {
		return failure(in.Name, err)
	}
	return event{Updated: &backendEvent{Backend: *r.view.infoOf(b)}}, nil
}

// delete removes an entry, while no source is applied. One that a source still lists
// returns when the source is loaded the next time, not before.
func (r *Registry) delete(ctx context.Context, in leaseParams) (event, error) {
	r.feeds.mu.Lock()
	defer r.feeds.mu.Unlock()
	defer r.writing.lock(in.Name).Unlock()
	_, err := r.writeLocked(ctx, in.Name, func(old *storage.Backend, _ int64) (storage.Write, error) {
		return storage.Write{Backend: storage.Backend{Name: in.Name}, Delete: true}, in.check(old)
	})
	if err != nil {
		return failure(in.Name, err)
	}
	r.leases.end(in.Name)
	r.unlist(in.Name)
	return event{Deleted: &nameEvent{Name: in.Name}}, nil
}

// relocate makes what probes have found of old void for b, if that is at another
// address.
func relocate(old storage.Backend, b *storage.Backend) {
	if old.Protocol != b.Protocol || old.Host != b.Host || old.Port != b.Port {
		b.Inactive &^= storage.ReasonUnhealthy
		b.AnswersAs = ""
	}
}

// ping notes that a backend was seen, renews its lease, and takes back a goodbye.
// It changes neither what probes have found nor what a source lists.
func (r *Registry) ping(ctx context.Context, in leaseParams) (event, error) {
	var undo func()
	activated := false
	_, err := r.write(ctx, in.Name, func(old *storage.Backend, now int64) (storage.Write, error) {
		if err := in.check(old); err != nil {
			return storage.Write{}, err
		}
		w := storage.Write{Backend: *old, Cause: causeUpdated}
		w.Backend.LastSeen = now
		w.Backend.Inactive &= storage.ReasonUnhealthy | storage.ReasonDropped
		if old.Runtime { // no source owns it
			w.Backend.Inactive &^= storage.ReasonDropped
		}
		if w.Backend.Inactive != old.Inactive {
			w.Backend.UpdatedAt = now
		}
		if activated = !old.Active() && w.Backend.Active(); activated {
			w.Cause = causeRegistered
			if undo == nil {
				var err error
				if undo, err = r.quota.retake(in.Name); err != nil {
					return storage.Write{}, err
				}
			}
		}
		r.leases.start(w.Backend)
		return w, nil
	})
	if err != nil {
		if undo != nil {
			undo()
		}
		unknown := errors.Is(err, notFound(in.Name))
		failed, err := failure(in.Name, err)
		if failed.Error != nil {
			failed = event{Ping: &pingEvent{Name: shorten(in.Name), Message: failed.Error.Message, unknown: unknown}}
		}
		return failed, err
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
		return failure(in.Name, err)
	}
	return event{Deregistered: &nameEvent{Name: in.Name}}, nil
}

// deactivated is the write that adds a reason why b is inactive.
func deactivated(b storage.Backend, reason storage.Reasons, now int64) storage.Write {
	w := storage.Write{Backend: b, Cause: causeUpdated}
	if b.Active() || reason == storage.ReasonDeregistered {
		w.Cause = causeDeregistered
	}
	if w.Backend.Inactive |= reason; w.Backend.Inactive != b.Inactive {
		w.Backend.UpdatedAt = now
	}
	return w
}

// reload loads the sources again, and answers why one can't be loaded.
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

// failure is the answer where an entry could not be written.
func failure(name string, err error) (event, error) {
	if refused := refusal(""); errors.As(err, &refused) {
		return event{Error: &errorEvent{Message: err.Error()}}, nil
	}
	if told := (*plugin.Error)(nil); errors.As(err, &told) {
		return event{}, told
	}
	return event{}, &plugin.Error{Message: fmt.Sprintf("the registry could not store %q", name), Err: err}
}

// refusal is the error of a write that is not made, as the entry or its lease is
// not what the caller takes it for. It is also the text of the answer.
type refusal string

func (r refusal) Error() string { return string(r) }

func notFound(name string) error { return refusal("Backend not found: " + shorten(name)) }

// shorten keeps the start of what a caller sent, so that an answer stays readable.
func shorten(s string) string {
	const maxBytes = 2 * storage.MaxNameBytes
	if len(s) <= maxBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxBytes], "") + "…"
}
