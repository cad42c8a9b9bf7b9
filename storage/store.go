// SPDX-License-Identifier: AGPL-3.0-only

package storage

import (
	"context"
	"errors"
	"iter"
)

// Errors that a caller can act on. Stores wrap them and add which backend was
// concerned; compare with [errors.Is].
var (
	// ErrNotFound says that there is no backend of that name.
	ErrNotFound = errors.New("backend not found")
	// ErrConflict says that a backend was changed since the writer read it.
	// Nothing was written.
	ErrConflict = errors.New("revision conflict")
	// ErrCompacted says that the changes after a position are no longer kept, or
	// that the store was never there: its history is another one, or shorter. List
	// again, and watch after the position of the list.
	ErrCompacted = errors.New("revision is compacted")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store is closed")
)

// Position is a point in the life of a store.
type Position struct {
	// History identifies where the revision counts: a copy of a store that was
	// restored, and has gone its own way since, gives the same numbers to other
	// changes. It consists of letters, digits and hyphens. In a position that is
	// given to a store, it is empty where the caller does not know it; then the
	// revision alone counts.
	History  string
	Revision int64
}

// Store keeps backends. Any number of goroutines may call its methods at once.
// What a method has answered is durable, and visible to every call that begins
// after the answer.
type Store interface {
	// Get returns the backend called name, or ErrNotFound.
	Get(ctx context.Context, name string) (Backend, error)

	// List returns every backend, ordered by name, and the position of the
	// store at that moment. A watch after that position misses nothing.
	List(ctx context.Context) (backends []Backend, at Position, err error)

	// Apply makes all writes, in order, as one change with one revision. On an
	// error it makes none of them. No name may be written twice, and there may
	// be no more than MaxWrites; anything else is an error. A write whose
	// backend has changed fails with ErrConflict, whatever else is wrong with
	// it; the deletion of a name that does not exist fails with ErrNotFound. No
	// two backends may have the same ID. Without writes nothing changes, and the
	// revision of the answer is 0.
	//
	// A context that ends during the call does not undo the writes: the error
	// is then that of the context, and a watch shows what was written.
	Apply(ctx context.Context, writes ...Write) (Change, error)

	// Seen stores when backends were last seen, in Unix seconds by name, where that
	// is later than what is stored. It is no change: no revision, and nothing to
	// watch. A name that does not exist is ignored.
	Seen(ctx context.Context, when map[string]int64) error

	// MaxWrites returns how many writes one Apply may make; 0 for any number.
	MaxWrites() int

	// Watch yields every change after a position, in order, each once: first
	// those of the past, then those to come. It ends without an error when ctx
	// does. It ends after one error: ErrCompacted where changes after that
	// position are not kept, also because the caller was too slow, or where it is
	// not one of this store; or ErrClosed.
	Watch(ctx context.Context, after Position) iter.Seq2[Change, error]

	// Close finishes the writes that were asked for, ends all watches and
	// releases the store. Later calls fail with ErrClosed. To close again does
	// nothing.
	Close() error
}

// Write puts a backend into a store, or deletes one.
type Write struct {
	// Backend is what to store under Backend.Name. For a deletion only the
	// name matters, and the revision where IfUnchanged is set.
	Backend Backend
	// Delete removes the backend.
	Delete bool
	// IfUnchanged makes the write fail with ErrConflict unless the stored
	// backend has the revision Backend.Revision: 0 where none may be stored.
	// Without it Backend.Revision is ignored.
	IfUnchanged bool
	// Cause is the writer's own word for what it does. It is handed on to
	// watches, and not kept.
	Cause string
}

// Change is what one Apply has written. It is shared by all who watch: whoever
// gets one must not modify it.
type Change struct {
	// Revision is that of the store after the change, above 0, and that of
	// every backend which the change has put.
	Revision int64
	// Entries are what each of the writes did, in the same order.
	Entries []EntryChange
}

// EntryChange is what one write of a change did.
type EntryChange struct {
	Before *Backend // as it was; nil where there was none
	After  *Backend // as it is; nil where it was deleted
	Cause  string   // that of the write
}

// Name is the name of the backend that was written.
func (e EntryChange) Name() string {
	if e.After != nil {
		return e.After.Name
	}
	return e.Before.Name
}
