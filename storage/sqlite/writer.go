// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/plexus-go/plexus/storage"
)

// request is one Apply, or one Seen, on its way to the writer.
type request struct {
	writes []storage.Write
	seen   map[string]int64

	// The answer, to be read once done is closed.
	change storage.Change
	err    error
	done   chan struct{}
}

// Apply implements [storage.Store].
func (s *store) Apply(ctx context.Context, writes ...storage.Write) (storage.Change, error) {
	r, err := newRequest(writes)
	if err != nil {
		return storage.Change{}, fmt.Errorf("writing: %w", err)
	}
	return s.make(ctx, r)
}

// Seen implements [storage.Store].
func (s *store) Seen(ctx context.Context, when map[string]int64) error {
	_, err := s.make(ctx, &request{seen: maps.Clone(when), done: make(chan struct{})})
	return err
}

// newRequest makes the request of an Apply. It copies the writes, as the caller may
// leave before they are made, and reuse them.
func newRequest(writes []storage.Write) (*request, error) {
	r := &request{writes: make([]storage.Write, len(writes)), done: make(chan struct{})}
	names := make(map[string]bool, len(writes))
	for i, w := range writes {
		if names[w.Backend.Name] {
			return nil, fmt.Errorf("backend %q is written twice in one change", w.Backend.Name)
		}
		names[w.Backend.Name] = true
		w.Backend = clone(w.Backend)
		r.writes[i] = w
	}
	return r, nil
}

// make has the writer make a request, and waits for its answer.
func (s *store) make(ctx context.Context, r *request) (storage.Change, error) {
	if err := s.enqueue(ctx, r); err != nil {
		return storage.Change{}, fmt.Errorf("writing: %w", err)
	}
	select {
	case <-r.done:
		return r.change, r.err
	case <-ctx.Done():
		return storage.Change{}, fmt.Errorf("writing: %w", ctx.Err())
	}
}

// enqueue puts a request into the queue of the writer, which answers it. It waits
// for a place in the queue.
func (s *store) enqueue(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.enqueuing.RLock()
	defer s.enqueuing.RUnlock()
	if s.isClosing() {
		return storage.ErrClosed
	}
	select {
	case s.queue <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return storage.ErrClosed
	}
}

// checkInterval is how often the files of a database are looked after while nobody
// writes.
const checkInterval = time.Second

// write is the goroutine that writes, until the queue is closed and empty.
func (s *store) write() {
	defer close(s.written)
	var tick <-chan time.Time // nil in memory
	if s.guard != nil {
		ticker := time.NewTicker(checkInterval)
		defer ticker.Stop()
		tick = ticker.C
	}
	var batch []*request
	for {
		select {
		case <-tick:
			_ = s.check() // which logs it
		case first, open := <-s.queue:
			if !open {
				return
			}
			batch = s.writeBatch(append(batch[:0], first))
			clear(batch)
		}
	}
}

// writeBatch makes requests, and all that wait meanwhile, and answers them. Where
// the database is gone they fail, also those that were written at that moment.
func (s *store) writeBatch(batch []*request) []*request {
	conn := <-s.writers
	defer func() { s.writers <- conn }()
	for len(s.queue) > 0 && len(batch) < queueLength {
		batch = append(batch, <-s.queue) // which nobody else reads
	}
	err := s.check()
	if err == nil {
		err = cmp.Or(s.commit(conn, batch), s.check())
	}
	for _, r := range batch {
		if err != nil {
			r.change, r.err = storage.Change{}, err
		}
		close(r.done)
	}
	return batch
}

// check fails while files of the database are gone, and logs when that begins and
// ends.
func (s *store) check() error {
	if s.guard == nil {
		return nil
	}
	err := s.guard.check()
	switch {
	case err != nil && !s.isGone:
		s.log.Error("the database is gone, and nothing is stored until it is back", slog.Any("err", err))
	case err == nil && s.isGone:
		s.log.Info("the database is back")
	}
	s.isGone = err != nil
	return err
}

// commit makes the writes of all requests in one transaction, publishes their
// changes and leaves the answers in the requests. On an error nothing was
// written, and the error is the answer to all of them, as the answer to one may
// depend on what another wrote.
func (s *store) commit(conn *sqlite.Conn, batch []*request) (err error) {
	if err := exec(conn, "BEGIN IMMEDIATE", nil); err != nil {
		return fmt.Errorf("beginning to write: %w", err)
	}
	defer func() {
		if conn.AutocommitEnabled() {
			return // SQLite has rolled back by itself after some errors
		}
		if err := exec(conn, "ROLLBACK", nil); err != nil {
			s.log.Error("could not roll back", slog.Any("err", err))
		}
	}()

	var changes []storage.Change
	isSeen, rows := false, s.meta.digest
	for _, r := range batch {
		if r.seen != nil {
			r.err, isSeen = applySeen(conn, r.seen), true
		} else {
			r.change, r.err = apply(conn, r.writes, s.meta.Revision+1)
		}
		if conn.AutocommitEnabled() {
			return fmt.Errorf("writing: the transaction was given up: %w", r.err)
		}
		if r.change.Revision > 0 {
			changes = append(changes, r.change)
			s.meta.Revision = r.change.Revision
			for _, e := range r.change.Entries {
				rows += digest(e.After) - digest(e.Before)
			}
		}
	}
	if len(changes) == 0 && !isSeen {
		return nil // nothing to commit
	}
	if len(changes) > 0 {
		next := s.meta
		next.digest = rows
		if err := writeMeta(conn, next); err != nil {
			return fmt.Errorf("storing the revision: %w", err)
		}
		// From the COMMIT on somebody may list, and watch after this revision,
		// though it is not published yet. If it fails, the revisions stay unused.
		s.history.announce(s.meta.Revision)
	}
	if err := exec(conn, "COMMIT", nil); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	s.meta.digest = rows
	if len(changes) > 0 {
		s.history.publish(changes)
	}
	return nil
}

// applySeen stores when backends were last seen.
func applySeen(conn *sqlite.Conn, when map[string]int64) error {
	for name, at := range when {
		if err := exec(conn, updateSeen, func(stmt *sqlite.Stmt) {
			stmt.BindText(1, name)
			stmt.BindInt64(2, at)
		}); err != nil {
			return fmt.Errorf("storing when backend %q was last seen: %w", name, err)
		}
	}
	return nil
}

// apply makes the writes of one request as a change with that revision, or none
// of them.
func apply(conn *sqlite.Conn, writes []storage.Write, revision int64) (storage.Change, error) {
	var entries []storage.EntryChange
	var err error
	switch len(writes) {
	case 0:
		return storage.Change{}, nil
	case 1: // which fails as a whole by itself
		entries, err = applyAll(conn, writes, revision)
	default:
		if err := exec(conn, "SAVEPOINT request", nil); err != nil {
			return storage.Change{}, err
		}
		entries, err = applyAll(conn, writes, revision)
		err = endSavepoint(conn, err)
	}
	if err != nil {
		return storage.Change{}, err
	}
	return storage.Change{Revision: revision, Entries: entries}, nil
}

// endSavepoint keeps what was written since the savepoint; on an error it undoes
// that. If it can't, it rolls back the whole transaction.
func endSavepoint(conn *sqlite.Conn, err error) error {
	end := []string{"RELEASE request"}
	if err != nil {
		end = []string{"ROLLBACK TO request", "RELEASE request"}
	}
	for _, statement := range end {
		if conn.AutocommitEnabled() {
			break // given up already
		}
		if endErr := exec(conn, statement, nil); endErr != nil {
			err = errors.Join(err, fmt.Errorf("ending the savepoint: %w", endErr), exec(conn, "ROLLBACK", nil))
		}
	}
	return err
}

func applyAll(conn *sqlite.Conn, writes []storage.Write, revision int64) ([]storage.EntryChange, error) {
	entries := make([]storage.EntryChange, len(writes))
	for i := range writes {
		var err error
		if entries[i], err = applyOne(conn, &writes[i], revision); err != nil {
			doing := "storing"
			if writes[i].Delete {
				doing = "deleting"
			}
			return nil, fmt.Errorf("%s backend %q: %w", doing, writes[i].Backend.Name, err)
		}
	}
	return entries, nil
}

// applyOne makes one write.
func applyOne(conn *sqlite.Conn, w *storage.Write, revision int64) (storage.EntryChange, error) {
	before, err := selectOne(conn, w.Backend.Name)
	var stored int64 // revision
	if before != nil {
		stored = before.Revision
	}
	entry := storage.EntryChange{Before: before, Cause: w.Cause}
	switch {
	case err != nil:
		return entry, err
	case w.IfUnchanged && w.Backend.Revision != stored:
		return entry, storage.ErrConflict
	case w.Delete && before == nil:
		return entry, storage.ErrNotFound
	case w.Delete:
		return entry, exec(conn, deleteByName, func(stmt *sqlite.Stmt) { stmt.BindText(1, before.Name) })
	}
	entry.After = &w.Backend // which enqueue has copied
	entry.After.Revision = revision
	err = exec(conn, upsert, func(stmt *sqlite.Stmt) { bind(stmt, entry.After) })
	switch sqlite.ErrCode(err) {
	case sqlite.ResultConstraintPrimaryKey, sqlite.ResultConstraintUnique:
		err = fmt.Errorf("its ID %q belongs to another backend: %w", entry.After.ID, err)
	}
	return entry, err
}
