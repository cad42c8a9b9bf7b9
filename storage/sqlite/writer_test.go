// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/plexus-go/plexus/storage"
)

func openTest(t testing.TB, opts ...Option) *store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*store)
}

func put(name string) storage.Write {
	return storage.Write{Backend: storage.Backend{ID: "id of " + name, Name: name, Host: "localhost", Port: 4444,
		Protocol: "ws", Source: storage.SourceManual, RegisteredAt: 1, CreatedAt: 1, UpdatedAt: 1}}
}

// hold keeps the writer from writing, so that what is enqueued becomes one
// transaction, until the returned function is called.
func (s *store) hold() (release func()) {
	conn := <-s.writers
	return func() { s.writers <- conn }
}

func mustEnqueue(t *testing.T, s *store, writes ...storage.Write) *request {
	t.Helper()
	r, err := newRequest(writes)
	if err == nil {
		err = s.enqueue(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGroupCommit(t *testing.T) {
	s := openTest(t)
	release := s.hold()
	conflict := put("a")
	conflict.IfUnchanged = true
	requests := []*request{
		mustEnqueue(t, s, put("a")),
		mustEnqueue(t, s, conflict), // sees what its neighbour wrote
		mustEnqueue(t, s, put("b"), put("c"), conflict),
		mustEnqueue(t, s),
		mustEnqueue(t, s, put("d"), put("e")),
		mustEnqueue(t, s, storage.Write{Backend: storage.Backend{Name: "b"}, Delete: true}),
		mustEnqueue(t, s, put("f")),
	}
	want := []struct {
		revision int64
		err      error
	}{{1, nil}, {0, storage.ErrConflict}, {0, storage.ErrConflict}, {0, nil}, {2, nil}, {0, storage.ErrNotFound}, {3, nil}}
	release()
	for i, r := range requests {
		<-r.done
		if r.change.Revision != want[i].revision || !errors.Is(r.err, want[i].err) {
			t.Errorf("request %d: revision %d, error %v", i, r.change.Revision, r.err)
		}
	}
}

// A trigger makes the COMMIT fail, after every statement has succeeded.
func TestFailedCommit(t *testing.T) {
	s := openTest(t)
	release := s.hold()
	if err := exec(s.conns[0], "PRAGMA foreign_keys = ON", nil); err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteScript(s.conns[0], `
CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE TRIGGER poison AFTER INSERT ON backends WHEN NEW.name = 'poison' BEGIN INSERT INTO child VALUES (7); END;`, nil); err != nil {
		t.Fatal(err)
	}
	conflict := put("a")
	conflict.Backend.Revision, conflict.IfUnchanged = 99, true
	requests := []*request{mustEnqueue(t, s, put("a")), mustEnqueue(t, s, put("poison")), mustEnqueue(t, s, conflict)}
	release()
	for i, r := range requests {
		<-r.done
		if r.err == nil || !strings.Contains(r.err.Error(), "committing") || errors.Is(r.err, storage.ErrConflict) || r.change.Revision > 0 {
			t.Errorf("request %d: error %v", i, r.err)
		}
	}
	if listed, revision, err := s.List(t.Context()); len(listed) != 0 || revision.Revision != 0 || err != nil {
		t.Errorf("listed %d backends at %v, %v", len(listed), revision, err)
	}

	// The store goes on, and watchers see nothing of it.
	applied, err := s.Apply(t.Context(), put("a"))
	if err != nil {
		t.Fatal(err)
	}
	if applied.Revision <= 2 {
		t.Errorf("revision %d was used for the failed transaction", applied.Revision)
	}
	for change, err := range s.Watch(t.Context(), at(0)) {
		if err != nil || change.Revision != applied.Revision {
			t.Errorf("watched revision %d, %v", change.Revision, err)
		}
		break
	}
}

// Some errors, such as that of a full disk, end the whole transaction.
func TestRolledBackTransaction(t *testing.T) {
	s := openTest(t)
	release := s.hold()
	if err := sqlitex.ExecuteScript(s.conns[0], `
CREATE TRIGGER poison AFTER INSERT ON backends WHEN NEW.name = 'poison' BEGIN SELECT RAISE(ROLLBACK, 'gone'); END;`, nil); err != nil {
		t.Fatal(err)
	}
	requests := []*request{mustEnqueue(t, s, put("a")), mustEnqueue(t, s, put("b"), put("poison")), mustEnqueue(t, s, put("c"))}
	release()
	for i, r := range requests {
		<-r.done
		if r.err == nil || !strings.Contains(r.err.Error(), "given up") || r.change.Revision > 0 {
			t.Errorf("request %d: error %v", i, r.err)
		}
	}
	if listed, _, err := s.List(t.Context()); len(listed) != 0 || err != nil {
		t.Errorf("listed %d backends, %v", len(listed), err)
	}
	if _, err := s.Apply(t.Context(), put("a")); err != nil {
		t.Error(err)
	}
}

func TestSharedID(t *testing.T) {
	s := openTest(t)
	if _, err := s.Apply(t.Context(), put("a")); err != nil {
		t.Fatal(err)
	}
	thief := put("b")
	thief.Backend.ID = "id of a"
	if _, err := s.Apply(t.Context(), thief); err == nil || !strings.Contains(err.Error(), `ID "id of a" belongs to another`) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Apply(t.Context(), put("b")); err != nil {
		t.Error(err)
	}
}

// doneContext is over once it was asked for its Done channel n times.
type doneContext struct {
	context.Context
	cancel context.CancelFunc
	n      int
}

func newDoneContext(n int) *doneContext {
	ctx, cancel := context.WithCancel(context.Background())
	return &doneContext{ctx, cancel, n}
}

func (c *doneContext) Done() <-chan struct{} {
	if c.n--; c.n == 0 {
		c.cancel()
	}
	return c.Context.Done()
}

func TestContextEndsAfterEnqueuing(t *testing.T) {
	s := openTest(t)
	release := s.hold()
	// Asked once while it waits for a place, once while it waits for the answer.
	if _, err := s.Apply(newDoneContext(2), put("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	release()
	if _, err := s.Apply(t.Context(), put("b")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a"); err != nil {
		t.Errorf("the write did not happen: %v", err)
	}
}

// fillQueue holds the writer, and fills the queue behind it.
func fillQueue(t *testing.T, s *store) (release func()) {
	release = s.hold()
	mustEnqueue(t, s, put("first"))
	for len(s.queue) > 0 { // until the writer has taken it
		runtime.Gosched()
	}
	for i := range cap(s.queue) {
		mustEnqueue(t, s, put(fmt.Sprint(i)))
	}
	return release
}

func TestContextEndsWhileQueueIsFull(t *testing.T) {
	s := openTest(t)
	release := fillQueue(t, s)
	if _, err := s.Apply(newDoneContext(1), put("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	release()
	if _, err := s.Apply(t.Context(), put("last")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "late"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the write was to be given up: %v", err)
	}
}

func TestCloseWhileQueueIsFull(t *testing.T) {
	s := openTest(t)
	release := fillQueue(t, s)
	refused, closed := make(chan error), make(chan error)
	go func() {
		_, err := s.Apply(t.Context(), put("late"))
		refused <- err
	}()
	go func() { closed <- s.Close() }()
	if err := <-refused; !errors.Is(err, storage.ErrClosed) {
		t.Errorf("error %v", err)
	}
	release()
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestSizeGrows(t *testing.T) {
	s := openTest(t)
	before, err := s.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	w := put("large")
	w.Backend.Description = &long
	if _, err := s.Apply(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	after, err := s.Size(t.Context())
	if err != nil || before <= 0 || after-before < 1<<20 {
		t.Errorf("%d bytes grew to %d by %d: %v", before, after, 1<<20, err)
	}
}
