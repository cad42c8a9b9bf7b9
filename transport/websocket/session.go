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
	slowed bool // it was logged that the client is slowed down

	responded []string // the methods of answers to questions in the present message

	expelled chan struct{} // has room for one: the caller must leave

	ctx      context.Context // of all calls
	cancel   context.CancelCauseFunc
	stopping chan struct{} // closed to end the session gracefully: streams end, calls finish

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
		server:   s,
		remote:   caller.Remote,
		ws:       ws,
		socket:   under,
		queue:    newSendQueue(s.limits.MaxQueueBytes, s.limits.MaxQueueFrames, s.queued),
		rate:     newRateLimiter(s.limits.MaxCallsPerSecond),
		expelled: make(chan struct{}, 1),
		stopping: make(chan struct{}),
		calls: calls{
			maxCalls: s.limits.MaxCalls, maxBytes: s.limits.MaxMessageBytes,
			ended: make(chan struct{}, 1), bySubscription: map[int64]*call{},
		},
		readerEnded: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancelCause(plugin.WithCaller(context.Background(), caller))
	c.reader = newReader(ws, under, s, c.ctx.Done())
	return c
}

// read is the reader.
func (c *session) read() {
	c.readError = errAborted
	defer func() {
		c.reader.release(0)
		close(c.readerEnded)
	}()
	for {
		m, err := c.reader.next()
		if err != nil {
			c.readError = err
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
	if reason != errLeft {
		c.endByReason(reason)
		// What was sent before is still read and run: the reader ends soon.
		c.socket.Finish(goodbye)
		<-c.readerEnded
	}
	c.endByReader(reason == errLeft)
	c.socket.Close()
	c.calls.close()
	c.calls.running.Wait()
}

// endByReason closes the connection with the code of a reason. An error of the
// socket has none.
func (c *session) endByReason(reason error) {
	switch reason {
	case errStalled:
		c.server.log.Warn("closing a client that does not read", "remote", c.remote)
		c.server.count(&c.server.counts.Stalled)
		c.close(websocket.ClosePolicyViolation, reason.Error())
	case errIdle:
		c.server.count(&c.server.counts.Idle)
		c.close(websocket.CloseNormalClosure, reason.Error())
	case errExpelled:
		c.close(websocket.ClosePolicyViolation, reason.Error())
	case hub.ErrShutdown:
		c.close(websocket.CloseGoingAway, reason.Error())
	}
}

// endByReader answers a close frame of the client, or closes the connection
// with the code of what was wrong with its messages; first says that this is why
// the connection ends. A client that broke off gets no close frame.
func (c *session) endByReader(first bool) {
	err := c.readError
	var closed *websocket.CloseError
	var lost net.Error
	switch {
	case errors.As(err, &closed):
		if closed.Code != websocket.CloseAbnormalClosure {
			c.close(closed.Code, "")
		}
		return
	case first && c.reader.tooSlow(err):
		c.server.log.Warn("closing a client that sends too slowly", "remote", c.remote)
		c.server.count(&c.server.counts.Stalled)
		c.close(websocket.ClosePolicyViolation, errSlow.Error())
		return
	case errors.As(err, &lost):
		return
	case err == errAborted:
		c.server.log.Error("a method has ended the reader of its connection", "remote", c.remote)
		c.close(websocket.CloseInternalServerErr, "")
	default:
		// The library has sent a close frame, except for a length beyond 63 bits.
		if errors.Is(err, websocket.ErrReadLimit) {
			c.server.count(&c.server.counts.Large)
		}
		c.close(websocket.CloseMessageTooBig, "")
	}
	c.socket.Drain(goodbye)
}

// close sends a close frame. An error would mean that the client is gone.
func (c *session) close(code int, reason string) {
	c.socket.Finish(goodbye)
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(goodbye))
}
