// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

const (
	// outFrames is how many requests may wait to be written; further calls
	// wait with theirs.
	outFrames = 64
	// partingTime is how long a closed connection may take to say goodbye.
	partingTime = time.Second
)

// connection is one connection to a hub. Two goroutines are its own: run,
// which writes, and read.
//
// The server's end stands on sourcegraph/jsonrpc2; here it would be in the
// way. A stream must be known by its subscription before the next frame is
// read, so the answer has to be matched by the reader, and not by whoever
// waits for it. An error that is answered with the id null would go to the
// request 0, one whose code is a string would cost the connection. The library
// does not say whether a request had left when the connection was lost, holds
// a lock while it writes, whatever the caller's context says, and its
// goroutines can't be waited for.
type connection struct {
	*settings
	ws     *websocket.Conn
	socket *socket
	info   HubInfo

	out    chan outgoing // to be sent
	wake   chan struct{} // tells the writer of what is urgent
	broken chan struct{} // closed by fail
	ended  chan struct{} // closed when nothing more will be read
	cause  error         // why, once ended

	mu      sync.Mutex
	id      int64              // of the last request
	pending map[int64]*stream  // sent, or to be sent, and not answered, by id
	streams map[string]*stream // answered, by the key of the subscription
	urgent  [][]byte           // frames that wait for nothing
	err     error              // no call may begin any more
}

// outgoing is a request that waits to be sent.
type outgoing struct {
	stream *stream
	frame  []byte
}

// open connects and learns the hub's name.
func (s *settings) open(ctx context.Context, url string) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.DialTimeout)
	defer cancel()
	var under *socket
	ws, release, err := s.connect(ctx, url, func(conn net.Conn) net.Conn {
		under = newSocket(conn, s.Dead)
		return under
	})
	if err != nil {
		return nil, err
	}
	info, err := s.ask(ws)
	if !release() && err == nil {
		err = ctx.Err() // which has closed the connection
	}
	if err != nil {
		under.Close()
		return nil, s.infoFailed(ctx, url, err)
	}
	return &connection{
		settings: s, ws: ws, socket: under, info: info,
		out:     make(chan outgoing, outFrames),
		wake:    make(chan struct{}, 1),
		broken:  make(chan struct{}),
		ended:   make(chan struct{}),
		id:      1, // which has asked _info
		pending: map[int64]*stream{},
		streams: map[string]*stream{},
	}, nil
}

// run serves the connection until it is lost, or ctx is done, and returns why
// when nothing of it is left.
func (c *connection) run(ctx context.Context) error {
	go c.read()
	hurried := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(hurried)
		c.socket.finish(partingTime) // or a hub that does not read would hold up the writer
	})
	err := c.write(ctx)
	if !stop() {
		<-hurried
	}
	c.fail(err)
	c.socket.finish(partingTime)
	switch {
	case errors.Is(err, ErrClosed):
		// What was sent before is read by the hub before it answers this.
		c.bye(websocket.CloseNormalClosure)
		<-c.ended
	case errors.Is(err, ErrProtocol):
		c.bye(websocket.CloseProtocolError)
	case errors.Is(err, ErrTooLarge):
		c.bye(websocket.CloseMessageTooBig)
	}
	c.socket.Close()
	<-c.ended
	return err
}

// bye says that the connection is closed. An error would mean that it is.
func (c *connection) bye(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(partingTime))
}

// write is the writer. It returns why it can't go on.
func (c *connection) write(ctx context.Context) error {
	ping := time.NewTicker(c.Ping)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-c.ended:
			return c.cause
		case <-ctx.Done():
			// The hub is still told what is urgent: which streams nobody wants
			// any more, how its questions are answered.
			_ = c.flush(outgoing{})
			return ErrClosed
		case request := <-c.out:
			// Let the calls that are ready add to what is written at once.
			runtime.Gosched()
			err = c.flush(request)
		case <-c.wake:
			err = c.flush(outgoing{})
		case <-ping.C:
			if c.socket.silent() >= c.Ping {
				err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.Dead))
			}
		}
		if err != nil {
			return c.reason(ctx, err)
		}
	}
}

// reason returns why writing has failed: what the reader knows is closer to
// the cause.
func (c *connection) reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ErrClosed
	}
	select {
	case <-c.ended:
		return c.cause
	default:
		return lostError(err)
	}
}

// flush writes what is urgent, the request, if there is one, and what else is
// to be sent now.
func (c *connection) flush(request outgoing) error {
	c.mu.Lock()
	urgent := c.urgent
	c.urgent = nil
	c.mu.Unlock()

	c.socket.cork()
	for _, frame := range urgent {
		if err := c.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		if request.stream != nil && request.stream.send() {
			if err := c.ws.WriteMessage(websocket.TextMessage, request.frame); err != nil {
				return err
			}
		}
		if n == outFrames {
			return c.socket.uncork() // what is urgent has its turn
		}
		select {
		case request = <-c.out:
		default:
			return c.socket.uncork()
		}
	}
}

// hurry has a frame written soon, without waiting for it. make gets an id for
// its request, whose answer is ignored.
func (c *connection) hurry(make func(id int64) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hurryLocked(make)
}

func (c *connection) hurryLocked(make func(id int64) []byte) {
	if c.err == nil {
		c.id++
		c.urgent = append(c.urgent, make(c.id))
		tell(c.wake)
	}
}

// fail ends every stream. Only the writer calls it.
func (c *connection) fail(err error) {
	c.mu.Lock()
	c.err = err
	var all []*stream
	for _, s := range c.pending {
		all = append(all, s)
	}
	for _, s := range c.streams {
		all = append(all, s)
	}
	c.pending, c.streams, c.urgent = nil, nil, nil
	close(c.broken)
	c.mu.Unlock()
	for _, s := range all {
		s.end(err)
	}
}

// begin sends the request of s, which make writes. It fails only where the
// request is not sent.
func (c *connection) begin(ctx context.Context, s *stream, make func(id int64) []byte) error {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	c.id++
	s.id = c.id
	c.mu.Unlock()

	frame := make(s.id)
	s.size = len(frame)
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	c.pending[s.id] = s
	c.mu.Unlock()
	select {
	case c.out <- outgoing{s, frame}:
		return nil
	case <-ctx.Done():
		c.leave(s)
		return contextError(ctx)
	case <-c.broken:
		return c.err
	}
}

// leave makes that nothing more of s is wanted: the hub is told, if it runs.
// It may be called at any time.
func (c *connection) leave(s *stream) {
	s.discard()
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.left {
		return
	}
	s.left = true
	switch {
	case s.state.CompareAndSwap(unsent, withdrawn):
		delete(c.pending, s.id)
	case s.subscription != nil:
		c.unsubscribe(s)
	}
	// Else it is still to be answered, and then unsubscribed from.
}

// unsubscribe ends s at the hub, unless it has ended. The lock is held.
func (c *connection) unsubscribe(s *stream) {
	key := string(wire.Key(s.subscription))
	if c.streams[key] != s {
		return
	}
	delete(c.streams, key)
	c.hurryLocked(func(id int64) []byte {
		return wire.AppendUnsubscribe(nil, id, s.target, s.subscription)
	})
}

// read is the reader.
func (c *connection) read() {
	defer close(c.ended)
	var buf bytes.Buffer
	for c.cause == nil {
		c.cause = c.readOne(&buf)
	}
	c.socket.finish(partingTime) // the writer may be stuck
}

// mostScratch is the size up to which the reader keeps its buffer.
const mostScratch = 64 << 10

func (c *connection) readOne(buf *bytes.Buffer) error {
	if buf.Cap() > mostScratch {
		*buf = bytes.Buffer{}
	}
	buf.Reset()
	if err := readMessage(c.ws, buf, c.MaxMessageBytes); err != nil {
		if errors.Is(err, ErrTooLarge) && c.tooLarge(buf.Bytes(), err) {
			return nil
		}
		return lostError(err)
	}
	text := buf.Bytes()
	if len(text) <= mostScratch {
		text = bytes.Clone(text) // at its size: items are parts of it
	}
	f, err := wire.ParseFrame(text)
	if err != nil {
		return protocolError("%v", err)
	}
	switch {
	case f.Subscription != nil:
		c.item(&f)
	case f.ID != nil && (f.Result != nil || f.Err != nil):
		c.answer(&f)
	}
	return nil
}

// tooLarge fails the stream that a message of which only the beginning was
// read belongs to. It tells whether that could be found.
func (c *connection) tooLarge(beginning []byte, err error) bool {
	subscription := wire.PeekSubscription(beginning)
	if subscription == nil {
		return false
	}
	if s := c.stream(subscription); s != nil {
		c.abandon(s, err)
	}
	return true
}

func (c *connection) stream(subscription []byte) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[string(wire.Key(subscription))]
}

// abandon fails a stream that the hub has not ended.
func (c *connection) abandon(s *stream, err error) {
	s.end(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsubscribe(s)
}

// answer matches the answer to a request.
func (c *connection) answer(f *wire.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.asked(f)
	if s == nil {
		return // to an unsubscription, say
	}
	delete(c.pending, s.id)
	if f.Err != nil {
		s.end(refusedError(s.method, f.Err))
		return
	}
	s.subscription = bytes.Clone(f.Result)
	key := string(wire.Key(s.subscription))
	if earlier := c.streams[key]; earlier != nil {
		earlier.end(protocolError("its subscription %.64s was given to another call", key))
	}
	c.streams[key] = s
	if s.left {
		c.unsubscribe(s)
	}
}

// asked returns the stream whose request is answered; nil if there is none.
// The lock is held.
func (c *connection) asked(f *wire.Frame) *stream {
	if id, ok := integer(wire.Key(f.ID)); ok {
		if s := c.pending[id]; s != nil && s.wasSent() {
			return s
		}
		return nil
	}
	if f.Err == nil {
		return nil
	}
	// The hub could not read the id. It is told, though, when there is only
	// one, or what makes one stand out.
	var guess *stream
	for _, s := range c.pending {
		switch {
		case !s.wasSent():
		case guess == nil || f.Err.Code == plugin.CodeTooLarge && s.size > guess.size:
			guess = s
		case f.Err.Code != plugin.CodeTooLarge:
			return nil
		}
	}
	return guess
}

// item hands an item to its range.
func (c *connection) item(f *wire.Frame) {
	s := c.stream(f.Subscription)
	if s == nil {
		return // one that was broken off, or somebody else's
	}
	switch {
	case f.Item.Kind == plugin.KindDone:
		c.forget(f.Subscription)
		s.end(nil)
		return
	case f.Item.Kind == plugin.KindError && !f.Item.Recoverable:
		c.forget(f.Subscription)
		s.end(streamError(s.method, &f.Item))
		return
	}
	for !s.offer(&f.Item, c.QueueItems, c.QueueBytes) {
		if !s.wait(c.QueueWait, c.alone(), c.broken) {
			c.abandon(s, ErrSlow)
			return
		}
	}
}

// alone tells that the connection has no more than one call.
func (c *connection) alone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)+len(c.pending) <= 1
}

func (c *connection) forget(subscription []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, string(wire.Key(subscription)))
}
