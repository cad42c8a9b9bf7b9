// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"context"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// connection keeps operations in flight, each in a slot of its own. One
// goroutine reads until the connection ends; who writes depends on the way to
// load: the reader, when an operation ended, or the pace.
type connection struct {
	*subject
	index int // among the subject's connections
	ws    *websocket.Conn

	free chan int      // the slots that nothing is in flight in
	dead chan struct{} // closed when the reader has ended
	// until is when the reader stops to begin an operation for each that
	// ended, by the subject's clock.
	until atomic.Int64

	writing  sync.Mutex // held while a frame is written, which may take long
	requests []request
	random   *rand.Rand

	mu      sync.Mutex
	slots   []slot
	streams map[uint64]int // slots by the hash of the subscription
	lost    string         // why nothing can be sent any more, a kind of error; empty while it can

	buffer []byte // the reader's
}

// slot is an operation in flight.
type slot struct {
	busy    bool
	id      int
	use     int
	kind    int           // index in the blend
	origin  time.Duration // when its latency begins
	stream  uint64
	data    bool   // one was seen
	failure string // the kind of error it will end with
}

// mostFrame is the longest message that is read.
const mostFrame = 64 << 20

func newConnection(s *subject, index int, ws *websocket.Conn) *connection {
	c := &connection{
		subject: s,
		index:   index,
		ws:      ws,
		free:    make(chan int, s.window),
		dead:    make(chan struct{}),
		random:  rand.New(rand.NewPCG(uint64(index), 0)), // #nosec G404 G115 -- the same load in every run
		slots:   make([]slot, s.window),
		streams: make(map[uint64]int, s.window),
	}
	ws.SetReadLimit(mostFrame)
	for _, r := range s.requests {
		c.requests = append(c.requests, r.clone())
	}
	for i := range s.window {
		c.free <- i
	}
	go c.read() // until close, which waits for it
	return c
}

// close ends the connection, and what is in flight with it.
func (c *connection) close() {
	c.give("connection lost")
	<-c.dead
}

// give gives the connection up, for a reason that is a kind of error.
func (c *connection) give(why string) {
	c.mu.Lock()
	if c.lost == "" {
		c.lost = why
	}
	c.mu.Unlock()
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = c.ws.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second)) // it may be gone
	c.ws.Close()
}

func (c *connection) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// send begins an operation in a slot that is free.
func (c *connection) send(at int, origin time.Duration) {
	c.writing.Lock()
	defer c.writing.Unlock()
	kind := pick(c.blend, c.random)
	c.mu.Lock()
	if c.lost != "" {
		c.tally.failure(c.lost)
		c.mu.Unlock()
		return
	}
	s := &c.slots[at]
	use := s.use + 1
	*s = slot{busy: true, id: newID(kind, use, at), use: use, kind: kind, origin: origin}
	id := s.id
	c.mu.Unlock()

	r := c.requests[kind]
	r.fill(id, c.random.IntN(c.backends))
	if c.ws.WriteMessage(websocket.TextMessage, r.frame) != nil {
		c.ws.Close() // the reader counts what is lost
	}
}

// read follows the operations until the connection ends.
func (c *connection) read() {
	defer close(c.dead)
	for {
		frame, err := c.next()
		if err != nil {
			break
		}
		seen, err := look(frame)
		if err != nil {
			c.tally.failure("unreadable frame")
			continue
		}
		if at := c.follow(seen); at >= 0 {
			if now := c.now(); now < time.Duration(c.until.Load()) {
				c.send(at, now)
			} else {
				c.free <- at
			}
		}
	}
	c.ws.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == "" {
		c.lost = "connection lost"
	}
	for _, s := range c.slots {
		if s.busy {
			c.tally.failure(c.lost)
		}
	}
}

// next reads a message into the buffer.
func (c *connection) next() ([]byte, error) {
	_, r, err := c.ws.NextReader()
	if err != nil {
		return nil, err
	}
	c.buffer = c.buffer[:0]
	for {
		if len(c.buffer) == cap(c.buffer) {
			c.buffer = append(c.buffer, make([]byte, max(4<<10, len(c.buffer)))...)[:len(c.buffer)]
		}
		n, err := r.Read(c.buffer[len(c.buffer):cap(c.buffer)])
		c.buffer = c.buffer[:len(c.buffer)+n]
		if err == io.EOF {
			return c.buffer, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// follow notes a frame, and returns the slot of the operation that it ends; -1
// where it ends none.
func (c *connection) follow(seen sight) (ended int) {
	now := c.now()
	c.mu.Lock()
	at, known := c.find(seen)
	if !known {
		c.mu.Unlock()
		c.tally.failure("stray frame")
		return -1
	}
	s := &c.slots[at]
	if !s.note(seen) {
		c.mu.Unlock()
		return -1
	}
	s.busy = false
	delete(c.streams, s.stream)
	kind, took, failure := s.kind, now-s.origin, s.failure
	c.mu.Unlock()
	if failure != "" {
		c.tally.failure(failure)
	} else {
		c.tally.success(kind, took)
	}
	return at
}

// find returns the slot that a frame is about.
func (c *connection) find(seen sight) (at int, known bool) {
	if seen.id == nil {
		at, known = c.streams[maphash.Bytes(c.seed, seen.subscription)]
		return at, known
	}
	id, err := strconv.Atoi(string(seen.id))
	at = id % useUnit
	if err != nil || at < 0 || at >= len(c.slots) || !c.slots[at].busy || c.slots[at].id != id || c.slots[at].stream != 0 {
		return 0, false
	}
	if seen.failure == "" {
		stream := maphash.Bytes(c.seed, seen.subscription)
		c.slots[at].stream = stream
		c.streams[stream] = at
	}
	return at, true
}

// note takes down what a frame says, and tells whether it ends the operation.
func (s *slot) note(seen sight) (ends bool) {
	switch {
	case seen.id != nil:
		s.failure = seen.failure
		return seen.failure != ""
	case seen.item == "data":
		s.data = true
		if why := contentFailure(seen.content); why != "" {
			s.failure = why
		}
	case seen.item == "error":
		s.failure = seen.failure
		return !seen.recoverable
	case seen.item == "done":
		if !s.data && s.failure == "" {
			s.failure = "no data"
		}
		return true
	}
	return false
}

// drain waits until nothing is in flight, and gives up with the connection
// when that takes too long.
func (c *connection) drain(ctx context.Context, end time.Duration) {
	timer := time.NewTimer(end - c.now() + c.timeout)
	defer timer.Stop()
	over := ctx.Done()
	for range c.window {
		for waiting := true; waiting; {
			select {
			case <-c.free:
				waiting = false
			case <-over:
				over = nil
				timer.Reset(min(c.timeout, hurry))
			case <-timer.C:
				c.give("timed out")
				<-c.dead
				return
			case <-c.dead:
				return
			}
		}
	}
	for i := range c.window {
		c.free <- i
	}
}

// hurry is how long operations may take to end when the run is broken off.
const hurry = 2 * time.Second
