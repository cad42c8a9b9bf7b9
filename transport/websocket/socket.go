// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// gatherBytes is how much is gathered before it is written, chunkBytes
	// how much is written at once: a client that takes a chunk in time is
	// slow, but not stalled.
	gatherBytes = 32 << 10
	chunkBytes  = 64 << 10

	// sendBuffer is how much the kernel may keep for a client that does not
	// read. When it is to be closed, lastBuffer makes room for the rest of
	// what was begun and for why it is closed.
	sendBuffer = 128 << 10
	lastBuffer = 512 << 10
)

// socket is the connection under a WebSocket. While it is corked it gathers
// what is written, so that many frames leave in one write.
type socket struct {
	net.Conn
	stall time.Duration
	under net.Conn // the network's own, beneath TLS and the like

	encrypted bool        // by TLS
	late      *time.Timer // then, once something was written

	since   atomic.Int64 // when the chunk that is being written was begun; 0 for none
	pressed atomic.Int64 // the since of a chunk that was to be taken sooner

	mu      sync.Mutex
	buf     []byte
	corked  bool
	stalled bool
	last    bool // the deadline is set once and for all
}

func newSocket(conn net.Conn, stall time.Duration) *socket {
	s := &socket{Conn: conn, stall: stall, under: conn}
	for {
		above, ok := s.under.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		s.under = above.NetConn()
	}
	_, s.encrypted = conn.(*tls.Conn)
	s.setSendBuffer(sendBuffer)
	return s
}

func (s *socket) setSendBuffer(bytes int) {
	if c, ok := s.under.(interface{ SetWriteBuffer(int) error }); ok {
		c.SetWriteBuffer(bytes)
	}
}

// Write gathers p, or writes it at once.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.corked && len(s.buf)+len(p) <= gatherBytes {
		s.buf = append(s.buf, p...)
		return len(p), nil
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	if s.corked && len(p) < gatherBytes {
		s.buf = append(s.buf, p...)
		return len(p), nil
	}
	return len(p), s.write(p)
}

// SetWriteDeadline does nothing: the socket sets its own deadlines.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// cork begins to gather.
func (s *socket) cork() {
	s.mu.Lock()
	s.corked = true
	s.mu.Unlock()
}

// uncork writes what was gathered.
func (s *socket) uncork() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = false
	err := s.flush()
	if cap(s.buf) > keepIdle {
		s.buf = nil
	}
	return err
}

// hasStalled tells that the client did not take a chunk in time. What it was
// sent may still have arrived later.
func (s *socket) hasStalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stalled
}

// finish lets whatever is still written take that long in all.
func (s *socket) finish(within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(within)
}

func (s *socket) finishLocked(within time.Duration) {
	if !s.last {
		s.last = true
		s.Conn.SetWriteDeadline(time.Now().Add(within))
	}
}

func (s *socket) flush() error {
	err := s.write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// write writes p in chunks, each in its time. When a chunk is late the first
// time, the rest has half that time again, and more room in the kernel: a
// client that wakes up finds whole frames, and after them why it is closed.
func (s *socket) write(p []byte) error {
	for len(p) > 0 {
		begun := time.Now()
		n, err := s.writeChunk(p[:min(len(p), chunkBytes)], begun)
		s.since.Store(0)
		p = p[n:]
		if err == nil {
			continue
		}
		if s.last || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		rest := s.stall / 2
		if s.pressed.CompareAndSwap(begun.UnixNano(), 0) {
			rest = s.stall / impatience / 2
		} else if time.Since(begun) < s.stall {
			continue // the chunk before was pressed, and just taken
		}
		s.stalled = true
		s.setSendBuffer(lastBuffer)
		s.finishLocked(rest)
	}
	return nil
}

// writeChunk writes within the stall time. A TLS connection breaks for good when
// a write times out, so there it goes on for as long again as write would let
// it, with more room in the kernel: the chunk is late, but whole.
//
// Whoever presses may shorten the time from when since is set.
func (s *socket) writeChunk(p []byte, begun time.Time) (int, error) {
	switch {
	case s.last:
	case s.encrypted:
		s.Conn.SetWriteDeadline(begun.Add(s.stall + s.stall/2))
	default:
		s.Conn.SetWriteDeadline(begun.Add(s.stall))
	}
	s.since.Store(begun.UnixNano())
	if s.last || !s.encrypted {
		return s.Conn.Write(p)
	}
	if s.late == nil {
		s.late = time.AfterFunc(s.stall, func() { s.setSendBuffer(lastBuffer) })
	} else {
		s.late.Reset(s.stall)
	}
	n, err := s.Conn.Write(p)
	if !s.late.Stop() {
		s.stalled = true
		s.finishLocked(s.stall / 2)
	}
	return n, err
}

// press makes a client count as stalled that has not taken its present chunk
// in that time.
func (s *socket) press(patience time.Duration) {
	since, now := s.since.Load(), time.Now()
	if since == 0 || now.UnixNano()-since < int64(patience) {
		return
	}
	s.pressed.Store(since)
	s.Conn.SetWriteDeadline(now)
}

// drain reads on for a while and throws it away. A socket that is closed with
// something unread would take back what was written last.
func (s *socket) drain(within time.Duration) {
	s.Conn.SetReadDeadline(time.Now().Add(within))
	_, _ = io.Copy(io.Discard, s.Conn)
}

// abort closes the connection without waiting for what is still unsent.
func (s *socket) abort() {
	if c, ok := s.under.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	}
	// TLS would say goodbye, which may wait. The session closes the rest.
	s.under.Close()
}
