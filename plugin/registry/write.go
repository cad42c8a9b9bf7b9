// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// maxTries bounds how often a write is tried. Each conflict means that another
// write of the same entry has succeeded.
const maxTries = 1000

// nameLocks make the writes of one name, and of few others, wait for one another.
type nameLocks struct {
	seed  maphash.Seed
	locks [256]sync.Mutex
}

func (l *nameLocks) lock(name string) *sync.Mutex {
	lock := &l.locks[maphash.String(l.seed, name)%uint64(len(l.locks))]
	lock.Lock()
	return lock
}

// makeWrite makes a write of the present entry, nil where there is none.
type makeWrite func(old *storage.Backend, now int64) (storage.Write, error)

// write stores what makes makes of an entry, and returns the entry, nil where it
// was deleted. A write that changes nothing is not made. Every read shows it from then on. The write is finished though the
// caller leaves; it is tried again when somebody else has changed the entry in
// between. An error of makes is returned as it is.
func (r *Registry) write(ctx context.Context, name string, makes makeWrite) (*storage.Backend, error) {
	defer r.writing.lock(name).Unlock()
	return r.writeLocked(ctx, name, makes)
}

// writeLocked is write for a caller that holds the lock of the name.
func (r *Registry) writeLocked(ctx context.Context, name string, makes makeWrite) (*storage.Backend, error) {
	ctx = context.WithoutCancel(ctx)
	var old *storage.Backend
	if e := r.view.get(name); e != nil {
		old = &e.backend
	}
	for tries := 1; ; tries++ {
		w, err := makes(old, time.Now().Unix())
		if err != nil {
			return nil, err
		}
		if unchanged(old, w) { // which is no news
			err := r.view.wait(ctx, old.Revision)
			r.view.saw(name, w.Backend.LastSeen)
			return &w.Backend, err
		}
		w.IfUnchanged, w.Backend.Revision = true, 0
		if old != nil {
			w.Backend.Revision = old.Revision
		}
		change, err := r.store.Apply(ctx, w)
		if err == nil {
			return change.Entries[0].After, r.view.wait(ctx, change.Revision)
		}
		if !errors.Is(err, storage.ErrConflict) || tries == maxTries {
			return nil, err
		}
		// The store knows of the other change before the view does.
		switch b, err := r.store.Get(ctx, name); {
		case err == nil:
			old = &b
		case errors.Is(err, storage.ErrNotFound):
			old = nil
		default:
			return nil, err
		}
	}
}

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

// applyUnchanged is apply, but leaves out the entries that somebody else has
// changed meanwhile.
func (r *Registry) applyUnchanged(ctx context.Context, writes []storage.Write) error {
	_, _, err := r.apply(ctx, writes)
	switch {
	case !errors.Is(err, storage.ErrConflict):
		return err
	case len(writes) == 1:
		return nil
	}
	half := len(writes) / 2 // which is stored if the conflict is in the other one
	return errors.Join(r.applyUnchanged(ctx, writes[:half]), r.applyUnchanged(ctx, writes[half:]))
}
