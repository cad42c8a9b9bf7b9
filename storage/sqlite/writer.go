// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"zombiezen.com/go/sqlite"

	"github.com/plexus-go/plexus/storage"
)

// request is one Apply on its way to the writer.
type request struct {
	writes []storage.Write

	// The answer, to be read once done is closed.
	changes []storage.Change
	err     error
	done    chan struct{}
}

// Apply implements [storage.Store].
func (s *Store) Apply(ctx context.Context, writes ...storage.Write) ([]storage.Change, error) {
	r, err := s.enqueue(ctx, writes)
	if err != nil {
		return nil, fmt.Errorf("writing: %w", err)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("writing: %w", ctx.Err())
	}
	if r.err != nil {
		return nil, r.err
	}
	// The history keeps the originals.
	changes := make([]storage.Change, len(r.changes))
	for i, c := range r.changes {
		changes[i] = cloneChange(c)
	}
	return changes, nil
}

// enqueue hands the writes to the writer, which will answer the request. It
// waits for a place in the queue.
func (s *Store) enqueue(ctx context.Context, writes []storage.Write) (*request, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// The caller may go away before its writes are made, and reuse them.
	r := &request{writes: make([]storage.Write, len(writes)), done: make(chan struct{})}
	for i, w := range writes {
		w.Backend = clone(w.Backend)
		r.writes[i] = w
	}
	s.enqueuing.RLock()
	defer s.enqueuing.RUnlock()
	if s.isClosing() {
		return nil, storage.ErrClosed
	}
	select {
	case s.queue <- r:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closing:
		return nil, storage.ErrClosed
	}
}

// write is the goroutine that writes, until the queue is closed and empty.
func (s *Store) write() {
	defer close(s.written)
	var batch []*request
	for first := range s.queue {
		conn := <-s.writers
		batch = append(batch[:0], first)
	waiting:
		for len(batch) < queueLength {
			select {
			case r, ok := <-s.queue:
				if !ok {
					break waiting
				}
				batch = append(batch, r)
			default:
				break waiting
			}
		}
		err := s.commit(conn, batch)
		s.writers <- conn
		for _, r := range batch {
			if err != nil {
				r.changes, r.err = nil, err
			}
			close(r.done)
		}
		clear(batch)
	}
}

// commit makes the writes of all requests in one transaction, publishes them
// and leaves the answers in the requests. With an error nothing was written,
// and the error is the answer to all of them: what single requests came to
// rested on what the others wrote.
func (s *Store) commit(conn *sqlite.Conn, batch []*request) (err error) {
	if err := exec(conn, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning to write: %w", err)
	}
	defer func() {
		// SQLite has rolled back by itself after some errors.
		if conn.AutocommitEnabled() {
			return
		}
		if rollbackErr := exec(conn, "ROLLBACK"); rollbackErr != nil {
			s.log.Error("could not roll back", slog.Any("err", rollbackErr))
		}
	}()

	before := s.revision
	for _, r := range batch {
		revision := s.revision
		r.changes, r.err = apply(conn, r.writes, &revision)
		if conn.AutocommitEnabled() {
			return fmt.Errorf("writing: the transaction was given up: %w", r.err)
		}
		if r.err != nil {
			r.changes = nil
			continue
		}
		s.revision = revision
	}
	if s.revision == before {
		return nil // nothing to commit
	}
	if err := exec(conn, updateMeta, func(stmt *sqlite.Stmt) { stmt.BindInt64(1, s.revision) }); err != nil {
		return fmt.Errorf("storing the revision: %w", err)
	}
	// From the COMMIT on somebody may list, and watch from this revision,
	// though it is not published yet. If it fails the revisions stay used up.
	s.history.announce(s.revision)
	if err := exec(conn, "COMMIT"); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	s.history.publish(batch)
	return nil
}

// apply makes the writes of one request, or none of them. It counts revision
// up with each; with an error the count is void.
func apply(conn *sqlite.Conn, writes []storage.Write, revision *int64) (_ []storage.Change, err error) {
	if len(writes) > 1 {
		if err := exec(conn, "SAVEPOINT request"); err != nil {
			return nil, err
		}
		defer func() { err = endSavepoint(conn, err) }()
	}
	changes := make([]storage.Change, len(writes))
	for i := range writes {
		if changes[i], err = applyOne(conn, &writes[i], revision); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// endSavepoint keeps what was written since the savepoint, or with an error
// undoes it. If it can't, it gives up the whole transaction.
func endSavepoint(conn *sqlite.Conn, err error) error {
	if conn.AutocommitEnabled() {
		return err // given up already
	}
	var endErr error
	if err != nil {
		endErr = exec(conn, "ROLLBACK TO request")
	}
	if endErr == nil {
		endErr = exec(conn, "RELEASE request")
	}
	if endErr != nil {
		endErr = errors.Join(fmt.Errorf("ending the savepoint: %w", endErr), exec(conn, "ROLLBACK"))
	}
	return errors.Join(err, endErr)
}

// applyOne makes one write, which may depend on those before it.
func applyOne(conn *sqlite.Conn, w *storage.Write, revision *int64) (storage.Change, error) {
	name, doing := w.Backend.Name, "storing"
	if w.Delete {
		doing = "deleting"
	}
	fail := func(err error) (storage.Change, error) {
		return storage.Change{}, fmt.Errorf("%s backend %q: %w", doing, name, err)
	}
	var old storage.Backend // its revision stays zero where there is none
	if w.Delete || w.If != (storage.Condition{}) {
		if _, err := selectOne(conn, name, &old); err != nil {
			return fail(err)
		}
		if !w.If.Holds(old.Revision) {
			return fail(storage.ErrConflict)
		}
	}
	*revision++
	if w.Delete {
		if old.Revision == 0 {
			return fail(storage.ErrNotFound)
		}
		if err := exec(conn, deleteByName, func(stmt *sqlite.Stmt) { stmt.BindText(1, name) }); err != nil {
			return fail(err)
		}
		return storage.Change{Revision: *revision, Backend: old, Deleted: true, Cause: w.Cause}, nil
	}
	b := w.Backend
	b.Revision = *revision
	if err := exec(conn, upsert, func(stmt *sqlite.Stmt) { bind(stmt, &b) }); err != nil {
		switch sqlite.ErrCode(err) {
		case sqlite.ResultConstraintPrimaryKey, sqlite.ResultConstraintUnique:
			err = fmt.Errorf("its ID %q belongs to another backend: %w", b.ID, err)
		}
		return fail(err)
	}
	return storage.Change{Revision: *revision, Backend: b, Cause: w.Cause}, nil
}
