// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/socket"
	"github.com/plexus-go/plexus/plugin"
)

// goodbye is how long a client has to answer a close, and to take what is
// sent before it.
const goodbye = time.Second

// What a client had sent before a graceful stop is still served: until it has
// sent nothing for the quiet time, or at the latest for the linger time.
const (
	quiet  = 50 * time.Millisecond
	linger = time.Second
)

// session is one connection. Two goroutines are its own: read, and serve, which
// writes and outlives the other.
type session struct {
	server *Server
	remote string // the client's address, also behind a proxy
	ws     *websocket.Conn
	socket *socket.Conn
	reader *reader
	queue  *sendQueue
	calls  calls
	rate   rateLimiter

	slowed    bool     // it was logged that the client is slowed down
	responded []string // the methods of answers to questions in the present message

	ctx    context.Context // of all calls
	cancel context.CancelCauseFunc
	leave  chan error // has room for one: why the session is to end

	readerEnded chan struct{} // closed when nothing more will be read
	readError   error         // why, once it is closed

	writing sync.Mutex // held while queued frames are written
}

// Why a session ends, or its calls are cancelled, beside hub.ErrShutdown.
var (
	errLeft     = errors.New("the client left")
	errExpelled = errors.New("the credentials are not valid any more")
	errIdle     = errors.New("the connection was idle")
	errStalled  = errors.New("the client does not read")
	errSlow     = errors.New("the client sends too slowly")
	// errAborted: code of an activation has ended the reader, by
	// runtime.Goexit. What the client was sent before still arrives.
	errAborted = errors.New("a method has ended its goroutine")
)

func newSession(s *Server, ws *websocket.Conn, under *socket.Conn, caller plugin.Caller) *session {
	c := &session{
		server:      s,
		remote:      caller.Remote,
		ws:          ws,
		socket:      under,
		queue:       newSendQueue(&s.limits, s.queued),
		rate:        newRateLimiter(s.limits.MaxCallsPerSecond),
		calls:       calls{ended: make(signal, 1), bySubscription: map[int64]*call{}},
		leave:       make(chan error, 1),
		readerEnded: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancelCause(plugin.WithCaller(context.Background(), caller))
	c.reader = newReader(ws, under, s, c.ctx.Done())
	// Only the session writes.
	ws.SetPingHandler(c.queue.pong)
	ws.SetPongHandler(func(string) error { return nil })
	ws.SetCloseHandler(func(int, string) error { return nil })
	return c
}

// signal wakes one goroutine; it is remembered while none waits.
type signal chan struct{}

func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// read is the reader.
func (c *session) read() {
	err := errAborted
	defer func() {
		if err == errAborted {
			c.server.log.Error("a method has ended the reader of its connection", "remote", c.remote)
		}
		c.readError = err
		if _, closed := errors.AsType[*websocket.CloseError](err); closed {
			c.socket.Finish(goodbye) // the client may read nothing more
		}
		c.reader.release(0)
		close(c.readerEnded)
	}()
	for {
		m, failed := c.reader.next()
		if failed == errNotText {
			c.endFor(failed)
			for failed = nil; failed == nil; { // until the client has seen why
				_, _, failed = c.ws.NextReader()
			}
		}
		if failed != nil {
			err = failed
			return
		}
		c.dispatch(m)
	}
}

// serve serves the connection to its end, and returns when nothing of it is
// left.
func (c *session) serve() {
	go c.read()
	reason := c.write()
	c.queue.close()
	c.cancel(errLeft)
	c.end(reason)
	c.socket.Finish(goodbye)
	<-c.readerEnded // what was sent before is still read and run
	var closed *websocket.CloseError
	var lost net.Error
	if !errors.As(c.readError, &closed) && !errors.As(c.readError, &lost) {
		c.socket.CloseWrite() // the client may wait for the end
		c.socket.Drain(goodbye)
	}
	c.socket.Close()
	c.calls.close()
	c.calls.running.Wait()
}

// end sends the close frame that says why the session ends. A client that broke
// off gets none.
func (c *session) end(reason error) {
	var closed *websocket.CloseError
	var lost net.Error
	counts := &c.server.counts
	code, text := websocket.ClosePolicyViolation, reason.Error()
	switch {
	case reason == errStalled, reason == errSlow:
		c.server.log.Warn("closing the connection of a slow client", "remote", c.remote, "reason", reason)
		c.server.count(&counts.Stalled)
	case reason == errExpelled:
	case reason == errIdle:
		c.server.count(&counts.Idle)
		code = websocket.CloseNormalClosure
	case reason == hub.ErrShutdown:
		code = websocket.CloseGoingAway
	case reason == errNotText:
		code = websocket.CloseInvalidFramePayloadData
	case reason == errAborted:
		code, text = websocket.CloseInternalServerErr, ""
	case errors.As(reason, &closed): // by the client, whose code is the answer
		code, text = closed.Code, ""
	case errors.As(reason, &lost):
		return
	default:
		// The library has sent a close frame, except for a length beyond 63 bits.
		if errors.Is(reason, websocket.ErrReadLimit) {
			c.server.count(&counts.Large)
		}
		code, text = websocket.CloseMessageTooBig, ""
	}
	if code != websocket.CloseAbnormalClosure {
		c.close(code, text)
	}
}

// close sends a close frame. An error would mean that the client is gone.
func (c *session) close(code int, text string) {
	c.socket.Finish(goodbye)
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(goodbye))
}

// endFor ends the session for a reason, unless there is one already.
func (c *session) endFor(reason error) {
	select {
	case c.leave <- reason:
	default:
	}
}

// stop ends the session gracefully: its streams end, and its calls finish.
func (c *session) stop() {
	c.cancel(hub.ErrShutdown)
	last := time.Now().Add(linger)
	for read := int64(-1); read != c.reader.messages.Load() && time.Now().Before(last); {
		read = c.reader.messages.Load()
		select {
		case <-time.After(quiet):
		case <-c.readerEnded:
		}
	}
	c.calls.close()
	c.calls.running.Wait()
	c.endFor(hub.ErrShutdown)
}
