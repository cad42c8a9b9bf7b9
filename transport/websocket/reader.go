// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/socket"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

const (
	// hardLimit is how many times MaxMessageBytes may be exceeded before the
	// connection is closed instead of the message refused.
	hardLimit = 8
	// minBytesPerSecond is how fast a message must come once its timeout is
	// over.
	minBytesPerSecond = 16 << 10
)

// reader reads the messages of one connection.
//
// It is here in place of jsonrpc2.Conn; the project uses Request and Error of that
// library. Conn needs 75 allocations to read a request, and ten times as long as
// package wire, which needs 3. It closes the connection on bad JSON and on
// batches, has one more goroutine per connection, and its AsyncHandler starts
// goroutines without a limit.
type reader struct {
	ws     *websocket.Conn
	socket *socket.Conn
	server *Server
	stop   <-chan struct{} // closed when calls are cancelled: nothing is waited for then

	body     io.Reader    // of the message that is being read
	discards bool         // what is read of it, so that needs no memory
	size     int          // bytes of the message that was read last
	messages atomic.Int64 // how many were read

	mu sync.Mutex
	in inbound
}

// inbound is the message that is being read.
type inbound struct {
	begun   time.Time // when its first bytes came; zero while none is read
	bytes   int64     // that have come
	chunk   int64     // that have come since the last whole chunk
	chunkAt time.Time // when that was complete
	slow    bool      // it did not come at once, so it has a deadline
	held    int64     // bytes of memory that were granted
	waiting bool      // for more memory
	hurried bool      // the deadline is final
}

func newReader(ws *websocket.Conn, under *socket.Conn, s *Server, stop <-chan struct{}) *reader {
	r := &reader{
		ws: ws, socket: under, server: s, stop: stop,
	}
	ws.SetReadLimit(hardLimit * s.limits.MaxMessageBytes)
	return r
}

// errNotText: RFC 6455 wants the connection closed with code 1007.
var errNotText = errors.New("a text message is not UTF-8")

// next reads a message. One over a limit is read to its end, so that the
// connection can live on, and returned as a request with that error.
func (r *reader) next() (wire.Message, error) {
	r.release(0)
	kind, body, err := r.ws.NextReader()
	if err != nil {
		return wire.Message{}, err
	}
	r.body, r.discards = body, false
	text, err := socket.ReadMessage(r, r.server.limits.MaxMessageBytes)
	if err == socket.ErrTooLarge {
		r.server.count(&r.server.counts.Large)
		err = wire.TooLarge(r.server.limits.MaxMessageBytes)
	}
	refusal, refused := err.(*jsonrpc2.Error)
	if refused {
		text, r.discards = nil, true
		r.release(0)
		_, err = io.Copy(io.Discard, r)
	}
	if err != nil {
		return wire.Message{}, err
	}
	if kind == websocket.TextMessage && !utf8.Valid(text) {
		return wire.Message{}, errNotText
	}
	r.size = len(text)
	r.complete()
	if refused {
		return wire.Message{Request: wire.Request{Err: refusal}}, nil
	}
	m := wire.Parse(text, r.server.limits.MaxDepth)
	if m.Deep {
		r.server.count(&r.server.counts.Deep)
	}
	return m, nil
}

// Read reads of the message.
func (r *reader) Read(b []byte) (int, error) {
	if r.in.bytes >= freeBytes && !r.discards {
		if err := r.claim(); err != nil {
			return 0, err
		}
	}
	n, err := r.body.Read(b)
	if err == nil {
		r.received(int64(n))
	}
	return n, err
}

// received counts bytes of a message. Most messages come at once; one that does
// not gets a deadline, which moves with each part. A message that stops after
// its first bytes ends when the client counts as dead.
func (r *reader) received(bytes int64) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	in := &r.in
	in.bytes += bytes
	if in.begun.IsZero() {
		in.begun, in.chunkAt = now, now
		return
	}
	if in.chunk += bytes; in.chunk >= socket.ChunkBytes {
		in.chunk, in.chunkAt = 0, now
	}
	in.slow = true
	r.setDeadline()
}

func (r *reader) setDeadline() {
	if in := &r.in; in.slow && !in.hurried {
		r.socket.ReadBy(in.begun.Add(r.server.limits.MessageTimeout + time.Duration(in.bytes)*time.Second/minBytesPerSecond))
	}
}

// claim makes sure that memory for the message is granted: first a little, then
// at once as much as it can ever need, since two that have half of it could wait
// for each other. The deadline of the message is later by the wait. The error is
// the answer to a message for which there is none.
func (r *reader) claim() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := &r.in
	var more int64
	switch {
	case in.bytes >= socket.ScratchBytes && in.held < r.server.limits.MaxMessageBytes:
		more = r.server.limits.MaxMessageBytes - in.held
	case in.held == 0:
		more = min(socket.ScratchBytes, r.server.limits.MaxMessageBytes)
	default:
		return nil
	}
	in.waiting = true
	r.mu.Unlock()
	began := time.Now()
	granted := r.server.reading.acquire(more, r.stop)
	r.mu.Lock()
	in.waiting, in.chunkAt = false, time.Now()
	in.begun = in.begun.Add(in.chunkAt.Sub(began))
	r.setDeadline()
	if !granted {
		return wire.NewError(plugin.CodeTooMany, "Too many large messages",
			fmt.Sprintf("%d bytes of them are being read: try again in %v", r.server.reading.limit, r.server.reading.wait))
	}
	in.held += more
	return nil
}

// complete ends the message. Its bytes are held until the next one is read.
func (r *reader) complete() {
	r.messages.Add(1)
	r.release(int64(r.size))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.in.slow {
		r.socket.ReadBy(time.Time{})
	}
	r.in = inbound{held: r.in.held}
}

// release gives back memory down to so many bytes.
func (r *reader) release(keep int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if back := r.in.held - keep; back > 0 {
		r.in.held = keep
		r.server.reading.add(-back)
	}
}

// hurry ends a client that holds memory for a message of which no chunk has
// come within patience.
func (r *reader) hurry(patience time.Duration) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	in := &r.in
	if !in.begun.IsZero() && in.held > 0 && !in.waiting && now.Sub(in.chunkAt) >= patience {
		in.hurried = true
		r.socket.ReadBy(now)
	}
}

// tooSlow reports whether err, the reader's last, is that a message did not
// come to its end in time.
func (r *reader) tooSlow(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() && !r.in.begun.IsZero()
}
