// SPDX-License-Identifier: AGPL-3.0-only

package storage

import (
	"context"
	"errors"
	"iter"
)

// Errors that a caller can act on. Stores wrap them with what was being done
// to which backend; compare with [errors.Is].
var (
	// ErrNotFound says that there is no backend of that name.
	ErrNotFound = errors.New("backend not found")
	// ErrConflict says that a condition did not hold; nothing was written.
	ErrConflict = errors.New("revision conflict")
	// ErrCompacted says that the changes after the asked revision are no
	// longer kept (or never were): list again, then watch from there.
	ErrCompacted = errors.New("revision is compacted")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store is closed")
)

// Store keeps backends. All methods may be called at once by any number of
// goroutines. What a method has answered is durable, and visible to every
// call that begins after the answer.
type Store interface {
	// Get returns the backend called name, or ErrNotFound.
	Get(ctx context.Context, name string) (Backend, error)

	// List returns every backend, ordered by name, and the revision of the
	// store at that moment: watching after it misses nothing.
	List(ctx context.Context) (backends []Backend, revision int64, err error)

	// Apply makes all writes, in order, as one change: all of them or, when
	// it returns an error, none. A condition that does not hold fails with
	// ErrConflict, whatever else; then a deletion of a name that does not exist
	// with ErrNotFound. An id may be that of one backend only.
	// The changes answer the writes one to one; each has a revision of its
	// own, in order. A context that ends while the writes are under way does
	// not undo them: then the error is the context's, and the outcome is
	// seen by watching.
	Apply(ctx context.Context, writes ...Write) ([]Change, error)

	// Watch yields every change whose revision is greater than after, in
	// order, none missing and none twice: first those that happened, then
	// those to come. It ends when ctx does (without an error), when the
	// range is broken off, or after yielding one error: ErrCompacted where
	// the changes after that revision are not kept, also because the watcher
	// was too slow, or ErrClosed.
	Watch(ctx context.Context, after int64) iter.Seq2[Change, error]

	// Close finishes the writes that were asked for, ends all watchers and
	// releases the store. Later calls fail with ErrClosed.
	Close() error
}

// Write is one thing to do to a store: to put a backend, or to delete one.
type Write struct {
	// Backend is what to store under Backend.Name; its Revision is ignored.
	// For a deletion only the name matters.
	Backend Backend
	// Delete removes the backend instead.
	Delete bool
	// If must hold for the write to happen; the zero value always holds.
	If Condition
	// Cause is the writer's own word for what it does. Stores hand it on to
	// watchers as it is, and don't keep it.
	Cause string
}

// Condition is what must be true of a name at the moment of a write. Its zero
// value holds always.
type Condition struct {
	conditional bool
	revision    int64 // zero for absent
}

// IfAbsent holds where there is no backend of that name.
func IfAbsent() Condition { return Condition{conditional: true} }

// IfRevision holds where the backend was last changed at revision. Zero, the
// revision of a backend that was never stored, is IfAbsent.
func IfRevision(revision int64) Condition {
	return Condition{conditional: true, revision: revision}
}

// Holds tells whether the condition is true of a backend whose present
// revision is given, zero where there is none. Stores call it.
func (c Condition) Holds(revision int64) bool {
	return !c.conditional || revision == c.revision
}

// Change is one write as it happened.
type Change struct {
	// Revision is that of the store after the change, above zero. For a put
	// it is the backend's revision too.
	Revision int64
	// Backend is the entry as it now is; for a deletion, as it last was.
	Backend Backend
	// Deleted tells that the entry is gone.
	Deleted bool
	// Cause is that of the write.
	Cause string
}

// Put stores one backend.
func Put(ctx context.Context, s Store, b Backend, cond Condition) (Backend, error) {
	changes, err := s.Apply(ctx, Write{Backend: b, If: cond})
	if err != nil {
		return Backend{}, err
	}
	return changes[0].Backend, nil
}

// Delete removes one backend and returns the revision of that change.
func Delete(ctx context.Context, s Store, name string, cond Condition) (int64, error) {
	changes, err := s.Apply(ctx, Write{Backend: Backend{Name: name}, Delete: true, If: cond})
	if err != nil {
		return 0, err
	}
	return changes[0].Revision, nil
}
