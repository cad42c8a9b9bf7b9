// SPDX-License-Identifier: AGPL-3.0-only

package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// ChunkBytes is how much is written at once, and how much a peer must take
	// in time that is hurried.
	ChunkBytes = 64 << 10

	// pieceBytes is how much of it is written at once where the kernel does not
	// tell how much of what it holds the peer has taken.
	pieceBytes = 1 << 10

	// looks is how often within Limits.Stall it is seen whether a peer takes
	// something, and steadyStalls how many times that long one may pause that
	// was slow and took something: on thin lines, much is taken now and then.
	looks        = 5
	steadyStalls = 6

	// gatherBytes is how much is gathered before it is written.
	gatherBytes = 32 << 10

	// lastBuffer is how much the kernel may hold for a peer once it is
	// stalled: room for the rest of what was begun and for a close frame.
	lastBuffer = 512 << 10
)

// Limits say how long a peer may take, and what it may cost. The times must not
// be zero.
type Limits struct {
	// Stall is how long the peer may take nothing of what is written; six times
	// as long once it was slow and took something. Then it is stalled, and has
	// half of Stall for whatever is still written.
	Stall time.Duration
	// Silence is how long the peer may send nothing at all while it is not slow
	// to take what is written.
	Silence time.Duration
	// SendBuffer is how many bytes the kernel may hold for a peer that does not
	// read. Zero leaves that to the kernel.
	SendBuffer int
}

// Conn is a connection that gathers writes and sets its own deadlines. Its
// methods may be called from several goroutines.
type Conn struct {
	net.Conn          // TLS, or another layer, or the network's own
	network  net.Conn // the one beneath all layers
	limits   Limits
	unsent   func() int // what the kernel holds; nil if it does not tell
	piece    int        // how much is written at once

	writing sync.Mutex // held while something is written
	corked  bool
	buf     *[]byte // what was gathered; nil for nothing

	mu      sync.Mutex  // guards what follows; never held while something is read or written
	timer   *time.Timer // fires when the present chunk is to be looked at
	chunk   time.Time   // when the present chunk was begun; zero while nothing is written
	taken   time.Time   // when the peer last took something of it
	left    int         // what the kernel held when it was last asked; -1 before that
	steady  bool        // the peer was slow, and took something
	stalled bool
	lastOut bool      // the write deadline is final
	lastIn  bool      // the read deadline is final
	heard   time.Time // when the reader last began to wait
	moved   time.Time // when the read deadline was set
	readBy  time.Time // see ReadBy
}

// New makes a connection over conn.
func New(conn net.Conn, limits Limits) *Conn {
	c := &Conn{Conn: conn, network: conn, limits: limits, piece: pieceBytes, left: -1, heard: time.Now()}
	c.timer = time.AfterFunc(limits.Stall, c.look)
	c.timer.Stop()
	for layer, ok := conn.(layered); ok; layer, ok = c.network.(layered) {
		c.network = layer.NetConn()
	}
	if c.unsent = unsentOf(c.network); c.unsent != nil {
		c.piece = ChunkBytes
	}
	if limits.SendBuffer > 0 {
		c.setSendBuffer(limits.SendBuffer)
	}
	return c
}

// layered is a connection over another, as TLS is.
type layered interface{ NetConn() net.Conn }

func (c *Conn) setSendBuffer(bytes int) {
	if n, ok := c.network.(interface{ SetWriteBuffer(int) error }); ok {
		n.SetWriteBuffer(bytes)
	}
}

// Read reads what the peer has sent. It fails with an error that wraps
// [os.ErrDeadlineExceeded] when the peer is silent for too long.
func (c *Conn) Read(p []byte) (int, error) {
	now := time.Now()
	c.mu.Lock()
	c.heard = now
	// To set a deadline costs more than to look at the clock.
	if now.Sub(c.moved) > c.limits.Silence/64 {
		c.setReadDeadline(now)
	}
	c.mu.Unlock()
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !c.stillTakes() {
			return n, err
		}
	}
}

// stillTakes reports whether a slow peer, which was silent for too long, still
// takes what was written before: a ping is behind that. It is then given more time.
func (c *Conn) stillTakes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastIn || !c.readBy.IsZero() || c.unsent == nil || !c.steady {
		return false
	}
	before := c.left
	c.left = c.unsent()
	if c.left == 0 || c.left == before {
		return false
	}
	c.Conn.SetReadDeadline(time.Now().Add(c.limits.Stall))
	return true
}

// ReadBy sets when the message that is being read must be complete; the zero
// time is for no such limit. Reading fails at that time as it does after a
// silence.
func (c *Conn) ReadBy(deadline time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy = deadline
	c.setReadDeadline(time.Now())
}

// setReadDeadline begins the time of a silence anew. It is called with the lock.
func (c *Conn) setReadDeadline(from time.Time) {
	if c.lastIn {
		return
	}
	c.moved = from
	deadline := from.Add(c.limits.Silence)
	if !c.readBy.IsZero() && c.readBy.Before(deadline) {
		deadline = c.readBy
	}
	c.Conn.SetReadDeadline(deadline)
}

// Silent returns for how long nothing was read.
func (c *Conn) Silent() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heard)
}

// gathering are buffers for what is gathered: an idle connection has none.
var gathering = sync.Pool{New: func() any { return new([]byte) }}

// Cork begins to gather what is written. Only one goroutine may do so.
func (c *Conn) Cork() {
	c.writing.Lock()
	c.corked = true
	c.writing.Unlock()
}

// Uncork writes what was gathered, and gathers no more.
func (c *Conn) Uncork() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.corked = false
	return c.flush()
}

// Write gathers p, or writes it at once. A peer that is slow is no error before
// its time is over: see [Conn.Stalled].
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	gathered := 0
	if c.buf != nil {
		gathered = len(*c.buf)
	}
	if gathered+len(p) > gatherBytes || !c.corked {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	if !c.corked || len(p) >= gatherBytes {
		return c.write(p)
	}
	if c.buf == nil {
		c.buf = gathering.Get().(*[]byte)
	}
	*c.buf = append(*c.buf, p...)
	return len(p), nil
}

// flush writes what was gathered. It is called with the lock.
func (c *Conn) flush() error {
	if c.buf == nil {
		return nil
	}
	_, err := c.write(*c.buf)
	*c.buf = (*c.buf)[:0]
	gathering.Put(c.buf)
	c.buf = nil
	return err
}

// write writes p in chunks, each with the same time. It is called with the
// lock.
func (c *Conn) write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		c.beginChunk()
		for end := min(len(p), n+ChunkBytes); n < end && err == nil; {
			var written int
			written, err = c.Conn.Write(p[n:min(end, n+c.piece)])
			if n += written; n < end {
				c.took()
			}
		}
		c.endChunk()
	}
	return n, err
}

func (c *Conn) beginChunk() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastOut {
		return
	}
	c.chunk = time.Now()
	c.taken, c.left = c.chunk, -1
	c.timer.Reset(c.limits.Stall / looks)
}

// took says that the peer has taken a piece.
func (c *Conn) took() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = time.Now()
	c.steady = c.steady || c.taken.Sub(c.chunk) >= c.limits.Stall/looks
}

// look makes a peer stalled that has taken nothing for too long. One that takes
// something is not silent: it can have no ping to answer.
func (c *Conn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chunk.IsZero() || c.lastOut {
		return
	}
	now := time.Now()
	if c.unsent != nil {
		before := c.left
		if c.left = c.unsent(); before >= 0 && before != c.left {
			c.taken, c.steady = now, true
		}
	}
	patience := c.limits.Stall
	if c.steady {
		patience *= steadyStalls
	}
	if now.Sub(c.taken) >= patience {
		c.giveUp(c.limits.Stall)
		return
	}
	if c.taken.After(c.moved) {
		c.setReadDeadline(c.taken)
	}
	c.timer.Reset(c.limits.Stall / looks)
}

func (c *Conn) endChunk() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.chunk = time.Time{}
}

// Hurry makes a peer stalled that has not taken the present chunk within
// patience; one that was slow and took something has the time of Limits.Stall.
func (c *Conn) Hurry(patience time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steady {
		patience = max(patience, c.limits.Stall)
	}
	if !c.chunk.IsZero() && !c.lastOut && time.Since(c.chunk) >= patience {
		c.giveUp(patience)
	}
}

// giveUp makes a peer stalled. It then has half of its time for whatever is still
// written, and more room in the kernel: when it wakes up it finds whole frames,
// and after them a close frame that says why. (A write that is broken off would
// leave part of a frame, and over TLS nothing could be written after it.) It is
// called with the lock.
func (c *Conn) giveUp(patience time.Duration) {
	c.stalled = true
	c.setSendBuffer(lastBuffer)
	c.finishWriting(patience / 2)
}

// Stalled reports whether the peer did not take a chunk in time. What it was
// sent may still arrive; the connection is to be closed.
func (c *Conn) Stalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stalled
}

// Finish lets whatever is still read and written take that long in all. Only
// the first call has an effect.
func (c *Conn) Finish(within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lastIn {
		c.lastIn = true
		c.Conn.SetReadDeadline(time.Now().Add(within))
	}
	c.finishWriting(within)
}

func (c *Conn) finishWriting(within time.Duration) {
	if !c.lastOut {
		c.lastOut = true
		c.Conn.SetWriteDeadline(time.Now().Add(within))
	}
}

// CloseWrite tells the peer that nothing more will come, if the connection can.
func (c *Conn) CloseWrite() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it is closed soon
	}
}

// Drain reads on for a while and discards what it reads. A socket that is
// closed with something unread would take back what was written last.
func (c *Conn) Drain(within time.Duration) {
	c.Conn.SetReadDeadline(time.Now().Add(within))
	_, _ = io.Copy(io.Discard, c.Conn)
}

// Abort closes the connection without waiting for what is still unsent.
func (c *Conn) Abort() {
	if n, ok := c.network.(interface{ SetLinger(int) error }); ok {
		n.SetLinger(0)
	}
	// TLS would say goodbye, which may wait. Close closes the rest.
	c.network.Close()
}

// SetDeadline does nothing: the connection sets its own deadlines.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }
