// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// gatherBytes is how much is gathered before it is written, chunkBytes
	// how much is written at once: a client that takes a chunk in time is
	// slow, but not stalled.
	gatherBytes = 32 << 10
	chunkBytes  = 64 << 10
)

// socket is the connection under a WebSocket. While it is corked it gathers
// what is written, so that many frames leave in one write.
type socket struct {
	net.Conn
	stall time.Duration

	mu      sync.Mutex
	buf     []byte
	corked  bool
	stalled bool
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
	if cap(s.buf) > 4<<10 { // an idle connection keeps little
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

func (s *socket) flush() error {
	err := s.write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// write writes p in chunks, each in its time. When a chunk is late the first
// time, the rest of p has half that time again: a client that wakes up then
// finds whole frames, and after them why it is closed.
func (s *socket) write(p []byte) error {
	for len(p) > 0 {
		if !s.stalled {
			s.Conn.SetWriteDeadline(time.Now().Add(s.stall))
		}
		n, err := s.Conn.Write(p[:min(len(p), chunkBytes)])
		p = p[n:]
		if err == nil {
			continue
		}
		if s.stalled || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		s.stalled = true
		s.Conn.SetWriteDeadline(time.Now().Add(s.stall / 2))
	}
	return nil
}

// abort closes the connection without waiting for what is still unsent.
func (s *socket) abort() {
	if tcp, ok := s.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	s.Conn.Close()
}
