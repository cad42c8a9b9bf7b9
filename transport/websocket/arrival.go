// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"errors"
	"io"
	"net"
	"time"
)

var (
	errTooLarge = errors.New("message is over the limit")
	errNoMemory = errors.New("too many large messages are being read")
)

// arrival is how a message comes in. It is guarded by the lock of its stream.
type arrival struct {
	begun time.Time // when its first bytes came; zero while none is read
	got   int64     // its bytes so far
	moved time.Time // when a chunk had last come whole
	chunk int64     // bytes since then
	slow  bool      // it did not come at once, so it has a deadline
	held  int64     // what of the budget is held
	waits bool      // for more of it
	late  bool      // somebody else needs it, and the client is slow
}

// slowest is how many bytes of a message must come in a second.
const slowest = 16 << 10

// deadline is when the message must be there, as far as it has come.
func (a *arrival) deadline(timeout time.Duration) time.Time {
	return a.begun.Add(timeout + time.Duration(a.got)*time.Second/slowest)
}

// payload reads so many bytes of a message.
type payload struct {
	stream *objectStream
	r      io.Reader
	left   int64
	got    int64
	kept   bool // they are kept, and so must be granted
}

func (p *payload) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, io.EOF
	}
	if p.kept && p.got >= freeBytes {
		if err := p.stream.claim(); err != nil {
			return 0, err
		}
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	p.got += int64(n)
	if err == nil {
		p.stream.came(int64(n))
	}
	return n, err
}

// came counts bytes of a message. A client that sends one slowly is not dead,
// but must come to its end. The first bytes of most messages are the last:
// those set no deadline, and a message that stops there is ended as a client
// that is dead.
func (s *objectStream) came(bytes int64) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.arrival
	a.got += bytes
	if a.begun.IsZero() {
		a.begun, a.moved = now, now
		return
	}
	if a.chunk += bytes; a.chunk >= chunkBytes {
		a.chunk, a.moved = 0, now
	}
	if !a.slow {
		a.slow = true
		s.fresh = time.Time{}
	}
	s.aliveLocked(now)
}

// claim sees to it that what a message holds is granted: the first step while
// it is small, then at once as much as it can be, since two that hold half of
// it could wait for each other. The wait is not the client's fault.
func (s *objectStream) claim() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.arrival
	var more int64
	switch {
	case a.got >= mostScratch && a.held < s.limit:
		more = s.limit - a.held
	case a.held == 0:
		more = min(mostScratch, s.limit)
	default:
		return nil
	}
	a.waits = true
	s.mu.Unlock()
	began := time.Now()
	granted := s.shared.acquire(more, s.stop)
	s.mu.Lock()
	a.waits, a.moved = false, time.Now()
	a.begun = a.begun.Add(a.moved.Sub(began))
	s.fresh = time.Time{} // the deadline may have passed meanwhile
	s.aliveLocked(a.moved)
	if !granted {
		return errNoMemory
	}
	a.held += more
	return nil
}

// shrink gives back what a message no longer holds.
func (s *objectStream) shrink(to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shrinkLocked(to)
}

func (s *objectStream) shrinkLocked(to int64) {
	if back := s.arrival.held - to; back > 0 {
		s.arrival.held = to
		s.shared.add(-back)
	}
}

// arrived ends the arrival of a message of so many bytes, which is held until
// the next one is read.
func (s *objectStream) arrived(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shrinkLocked(bytes)
	if s.arrival.slow {
		s.fresh = time.Time{} // the deadline was the message's
	}
	s.arrival = arrival{held: s.arrival.held}
}

// press ends a client that holds memory for a message, of which no chunk has
// come in that time.
func (s *objectStream) press(patience time.Duration) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.arrival
	if a.begun.IsZero() || a.held == 0 || a.waits || s.final {
		return
	}
	if now.Sub(a.moved) < patience {
		return
	}
	a.late, a.slow = true, true
	s.ws.SetReadDeadline(now)
}

// lost tells that the reading ended within a message, for want of time.
func (s *objectStream) lost(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() && !s.final && !s.arrival.begun.IsZero()
}
