// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// gatherBytes is how much is gathered before it is written.
const gatherBytes = 16 << 10

// socket is the connection under a WebSocket. While it is corked it gathers
// what is written, so that the requests of many calls leave in one write. It
// sets its own deadlines: a hub that says, or takes, nothing for so long is
// lost.
type socket struct {
	net.Conn
	dead  time.Duration
	begun time.Time
	heard atomic.Int64 // when something was read: nanoseconds since begun

	deadlines sync.Mutex // held while they are set, not while they pass
	fresh     time.Time  // when the read deadline was set
	last      bool       // they are not to be moved any more

	mu     sync.Mutex
	buf    []byte
	corked bool
}

func newSocket(conn net.Conn, dead time.Duration) *socket {
	return &socket{Conn: conn, dead: dead, begun: time.Now()}
}

// Read reads, with the deadline moved.
func (s *socket) Read(p []byte) (int, error) {
	s.alive()
	n, err := s.Conn.Read(p)
	if n > 0 {
		s.heard.Store(int64(time.Since(s.begun)))
	}
	return n, err
}

func (s *socket) alive() {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	// Setting a deadline costs more than looking at the clock.
	if now := time.Now(); !s.last && now.Sub(s.fresh) > s.dead/64 {
		s.fresh = now
		s.Conn.SetReadDeadline(now.Add(s.dead))
	}
}

// silent returns for how long nothing was read.
func (s *socket) silent() time.Duration {
	return time.Since(s.begun) - time.Duration(s.heard.Load())
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
	return s.write(p)
}

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
	return s.flush()
}

func (s *socket) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.write(s.buf)
	s.buf = s.buf[:0]
	return err
}

func (s *socket) write(p []byte) (int, error) {
	s.deadlines.Lock()
	if !s.last {
		s.Conn.SetWriteDeadline(time.Now().Add(s.dead))
	}
	s.deadlines.Unlock()
	return s.Conn.Write(p)
}

// finish lets whatever is still read and written take that long in all. Only
// the first call has an effect.
func (s *socket) finish(within time.Duration) {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	if !s.last {
		s.last = true
		s.Conn.SetDeadline(time.Now().Add(within))
	}
}

// SetDeadline does nothing, and so do the others: see above.
func (s *socket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (s *socket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
