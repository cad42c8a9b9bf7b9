// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"slices"
	"sync"

	"zombiezen.com/go/sqlite"

	"github.com/plexus-go/plexus/storage"
)

var _ storage.Store = (*store)(nil)

const (
	// readerConns bounds how many Get and List calls run at once; more wait.
	readerConns = 4
	// queueLength bounds how many Apply calls wait for the writer; more wait
	// for a place in the queue.
	queueLength = 1024
)

// store is a [storage.Store] in a SQLite file.
type store struct {
	log     *slog.Logger
	guard   *guard // nil in memory
	history *history

	conns []*sqlite.Conn // all there are, the writer's first
	// Whoever uses a connection takes it out and puts it back. In memory
	// there is only one connection, and both channels are the same.
	writers chan *sqlite.Conn
	readers chan *sqlite.Conn

	// meta is that of the last commit, but for its revision, which is the last that
	// was given out. Only the writer uses it.
	meta meta
	// isGone is set while the database is gone, which was logged. Only the writer
	// uses it.
	isGone bool

	queue   chan *request
	written chan struct{} // closed when the writer has ended

	// closing is closed first. The mutex is held for reading while a request
	// is put into the queue, so that after it was held for writing nobody
	// will, and the queue can be closed.
	closing   chan struct{}
	enqueuing sync.RWMutex
	closeOnce sync.Once
	closeErr  error
}

// Option changes how a store is opened.
type Option func(*store)

// WithLogger sets where the store logs, such as rows that break today's rules.
// By default it does not log.
func WithLogger(log *slog.Logger) Option { return func(s *store) { s.log = log } }

// Open opens the database at path, or creates it with the directories above
// it. The path ":memory:" opens a store without a file, which is lost when it is
// closed.
//
// The error is [ErrInUse], [ErrForeign] or [ErrNewer] where those apply; the
// file is then as it was. The context bounds the opening only.
func Open(ctx context.Context, path string, opts ...Option) (storage.Store, error) {
	s := &store{
		log:     slog.New(slog.DiscardHandler),
		queue:   make(chan *request, queueLength),
		written: make(chan struct{}),
		closing: make(chan struct{}),
	}
	for _, opt := range opts {
		opt(s)
	}
	if err := s.open(ctx, path); err != nil {
		s.release()
		return nil, fmt.Errorf("opening database %q: %w", path, err)
	}
	s.history = newHistory(historyBytes, s.meta)
	go s.write()
	return s, nil
}

// open fills in everything that release gives back.
func (s *store) open(ctx context.Context, path string) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	given := path
	if path != memory {
		if given, path, err = prepareDirectory(path); err != nil {
			return err
		}
		s.guard = new(guard)
		var isNew bool
		if isNew, err = s.guard.lockBeside(path); err != nil {
			return err
		}
		defer func() {
			if err != nil && isNew { // a file that is refused gets no companion
				_ = os.Remove(s.guard.beside.Path())
			}
		}()
		if err := s.guard.prepareFile(path); err != nil {
			return err
		}
	}
	s.writers = make(chan *sqlite.Conn, 1)
	if err := s.connect(path, sqlite.OpenReadWrite|sqlite.OpenCreate, s.writers); err != nil {
		return err
	}
	writer := s.conns[0]
	writer.SetInterrupt(ctx.Done())
	if err = setUp(writer, path, s.log); err == nil {
		err = s.begin(writer)
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return explain(err, path)
	}
	writer.SetInterrupt(nil)

	if path == memory {
		s.readers = s.writers
		return nil
	}
	s.readers = make(chan *sqlite.Conn, readerConns)
	for range readerConns {
		if err := s.connect(path, sqlite.OpenReadOnly, s.readers); err != nil {
			return err
		}
	}
	return s.guard.watch(given, path)
}

// connect adds a connection to those who use it.
func (s *store) connect(path string, flags sqlite.OpenFlags, users chan<- *sqlite.Conn) error {
	conn, err := openConn(path, flags)
	if err == nil {
		s.conns = append(s.conns, conn)
		users <- conn
	}
	return err
}

// begin begins a history. It logs each backend that could not be registered today:
// such rows come from other programs or older rules, and are served as they are.
func (s *store) begin(conn *sqlite.Conn) error {
	backends, err := selectAll(context.Background(), conn)
	if err != nil {
		return err
	}
	var sum uint64
	for _, b := range backends {
		sum += digest(&b)
		b.Normalize()
		if err := b.Validate(); err != nil {
			s.log.Warn("stored backend breaks a rule and is kept as it is",
				slog.String("backend", b.Name), slog.String("rule", err.Error()))
		}
	}
	former, err := readMeta(conn)
	s.meta = former.descend(sum)
	return cmp.Or(err, writeMeta(conn, s.meta))
}

// Get implements [storage.Store].
func (s *store) Get(ctx context.Context, name string) (storage.Backend, error) {
	var b *storage.Backend
	err := s.read(ctx, func(conn *sqlite.Conn) (err error) {
		if b, err = selectOne(conn, name); err == nil && b == nil {
			err = storage.ErrNotFound
		}
		return err
	})
	if err != nil {
		return storage.Backend{}, fmt.Errorf("getting backend %q: %w", name, err)
	}
	return *b, nil
}

// Size returns how many bytes the database takes, without its log.
func (s *store) Size(ctx context.Context) (bytes int64, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		bytes, err = queryInt(conn, "SELECT page_size * page_count FROM pragma_page_size, pragma_page_count")
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measuring the database: %w", err)
	}
	return bytes, nil
}

// List implements [storage.Store].
func (s *store) List(ctx context.Context) (backends []storage.Backend, at storage.Position, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		if err := exec(conn, "BEGIN", nil); err != nil {
			return err
		}
		m, err := readMeta(conn)
		if at = m.Position; err == nil {
			backends, err = selectAll(ctx, conn)
		}
		return cmp.Or(err, exec(conn, "ROLLBACK", nil))
	})
	if err != nil {
		return nil, storage.Position{}, fmt.Errorf("listing backends: %w", err)
	}
	return backends, at, nil
}

// Warnings returns why the store does not write; nothing where it does.
func (s *store) Warnings() []string {
	if s.guard != nil {
		if err := s.guard.check(); err != nil {
			return []string{err.Error() + ": nothing is stored"}
		}
	}
	return nil
}

// MaxWrites implements [storage.Store]: one Apply may make any number.
func (s *store) MaxWrites() int { return 0 }

// Watch implements [storage.Store]. Changes are replayed from memory: those
// since Open, as many as fit into 32 MiB. A watch that had seen everything before
// the store was closed, or its process died, goes on.
func (s *store) Watch(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error] {
	watch := s.history.watch(ctx, after)
	return func(yield func(storage.Change, error) bool) {
		if ctx.Err() == nil && s.isClosing() {
			yield(storage.Change{}, fmt.Errorf("watching after revision %d: %w", after.Revision, storage.ErrClosed))
			return
		}
		watch(yield)
	}
}

// read calls f with a connection.
func (s *store) read(ctx context.Context, f func(*sqlite.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case conn := <-s.readers:
		defer func() { s.readers <- conn }()
		if s.isClosing() { // leave them to Close, which waits for all
			return storage.ErrClosed
		}
		return f(conn)
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return storage.ErrClosed
	}
}

func (s *store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Close implements [storage.Store]. It waits for calls that are under way, not
// for watchers to notice. Closing again does nothing and returns the same.
func (s *store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.enqueuing.Lock()
		close(s.queue)
		s.enqueuing.Unlock()
		<-s.written
		s.history.close()
		for range cap(s.readers) {
			<-s.readers
		}
		// Who reads at the moment is not waited for; then the next start moves the rest.
		if err := exec(s.conns[0], "PRAGMA wal_checkpoint(PASSIVE)", nil); err != nil {
			s.log.Warn("could not move the write-ahead log into the database", slog.Any("err", err))
		}
		s.closeErr = s.release()
	})
	return s.closeErr
}

// release closes the connections, the writer's last, and gives back the lock.
// Nobody may use the connections any more.
func (s *store) release() error {
	var errs []error
	for _, conn := range slices.Backward(s.conns) {
		errs = append(errs, conn.Close())
	}
	s.conns = nil
	if s.guard != nil {
		errs = append(errs, s.guard.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing database: %w", err)
	}
	return nil
}
