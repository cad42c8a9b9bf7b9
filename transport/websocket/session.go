// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// goodbye is how long a client has to answer a close, and to take what is
// sent before it.
const goodbye = time.Second

// session is one connection. Three goroutines are its own: the reader and the
// watchdog of jsonrpc2, and run, which writes and outlives them all.
type session struct {
	server *Server
	hub    *hub.Hub
	ids    *wire.Subscriptions
	limits Limits
	log    *slog.Logger
	remote string // whose connection it is, also behind a proxy

	ws     *websocket.Conn
	socket *socket
	stream *objectStream
	out    *outbox
	pace   pace // of the reader
	slowed bool // the log was told that it is slowed down

	still    func() error  // why the caller may not stay; nil for one who may
	expelled chan struct{} // has room for one: the caller may not stay

	ctx      context.Context // of all calls
	cancel   context.CancelCauseFunc
	stopping chan struct{} // closed to end the session gracefully
	freed    chan struct{} // tells the reader, if it waits, that a call has ended
	calls    sync.WaitGroup

	writing sync.Mutex // held while queued frames are written

	mu      sync.Mutex
	running map[int64]*call // by subscription
	active  int             // calls that have not returned yet
	held    int64           // bytes of their parameters
	waiting bool            // the reader waits for one of them to end
	jammed  bool            // it has waited in vain: until one ends, or is to, none is waited for
	stopped bool            // no call may start any more
}

// Why the streams of a session are cancelled, beside hub.ErrShutdown.
var (
	errLeft         = errors.New("the client left")
	errUnsubscribed = errors.New("the client unsubscribed")
)

// What a client had sent before the session was to end is still served: until
// it has sent nothing for the quiet time, or at the latest for the linger time.
const (
	quiet  = 50 * time.Millisecond
	linger = time.Second
)

// errExpelled is why a client is closed whose credentials have ended.
var errExpelled = errors.New("the credentials are not valid any more")

// errIdle is why a client that wants nothing is closed.
var errIdle = errors.New("the connection was idle")

// errStalled is why a client that does not read is closed.
var errStalled = errors.New("the client does not read")

// errSlow is why a client that does not send a message to its end is closed.
var errSlow = errors.New("the client sends too slowly")

// errExited is why a client is closed whose reader was ended by code of an
// activation, by runtime.Goexit. What it was sent before still arrives.
var errExited = errors.New("a method has ended its goroutine")

func newSession(s *Server, ws *websocket.Conn, under *socket, caller plugin.Caller) *session {
	c := &session{
		server:   s,
		hub:      s.hub,
		ids:      s.ids,
		limits:   s.limits,
		log:      s.log,
		remote:   caller.Remote,
		ws:       ws,
		socket:   under,
		out:      newOutbox(s.limits.MaxQueueBytes, s.limits.MaxQueueFrames, s.queued),
		pace:     newPace(s.limits.MaxCallsPerSecond),
		expelled: make(chan struct{}, 1),
		stopping: make(chan struct{}),
		freed:    make(chan struct{}, 1),
		running:  map[int64]*call{},
	}
	c.ctx, c.cancel = context.WithCancelCause(plugin.WithCaller(context.Background(), caller))
	c.stream = newObjectStream(ws, s.limits, s.reading, c.ctx.Done(), func(f *jsonrpc2.Error) {
		if f.Code == plugin.CodeTooLarge {
			s.counts.large.Add(1)
		}
		c.fault(nil, f)
	})
	return c
}

// stop asks the session to end: streams end, calls finish, the socket closes
// with code 1001. It may be called once.
func (c *session) stop() { close(c.stopping) }

// run serves the connection to its end, and returns when nothing of it is
// left.
func (c *session) run() {
	conn := jsonrpc2.NewConn(context.Background(), c.stream, c,
		jsonrpc2.SetLogger(log.New(io.Discard, "", 0)))
	reason := c.write()
	c.out.fail(errGone)
	c.cancel(errLeft)
	switch {
	case errors.Is(reason, errStalled):
		c.log.Warn("closing a client that does not read", "remote", c.remote)
		c.server.counts.stalled.Add(1)
		c.bye(websocket.ClosePolicyViolation, errStalled.Error())
	case errors.Is(reason, errIdle):
		c.server.counts.idle.Add(1)
		c.bye(websocket.CloseNormalClosure, errIdle.Error())
	case errors.Is(reason, errExited):
		c.bye(websocket.CloseInternalServerErr, "")
	case errors.Is(reason, errExpelled):
		c.bye(websocket.ClosePolicyViolation, errExpelled.Error())
	case errors.Is(reason, hub.ErrShutdown):
		c.bye(websocket.CloseGoingAway, hub.ErrShutdown.Error())
	}
	// What was sent before is still read and run: the reader ends by itself,
	// soon.
	c.stream.finish(goodbye)
	<-c.stream.ended
	if closed, broken := c.stream.left(); closed != nil {
		c.bye(closed.Code, "")
	} else if c.stream.slowly {
		c.log.Warn("closing a client that sends too slowly", "remote", c.remote)
		c.server.counts.stalled.Add(1)
		c.bye(websocket.ClosePolicyViolation, errSlow.Error())
	} else if !broken {
		if errors.Is(c.stream.err, websocket.ErrReadLimit) {
			c.server.counts.large.Add(1)
		}
		// The library has said what was wrong, but for a length beyond reason.
		c.bye(websocket.CloseMessageTooBig, "")
		c.socket.drain(goodbye)
	}
	c.socket.Close()
	c.closeCalls()
	c.calls.Wait()
	<-conn.DisconnectNotify()
}

// write is the writer. It returns when the client has left (nil), does not
// read (errStalled), wants nothing (errIdle), can't be reached any more, when
// its reader was ended (errExited), or when the session is to end
// (hub.ErrShutdown) and its calls have.
func (c *session) write() error {
	ping := time.NewTicker(c.limits.PingInterval)
	defer ping.Stop()
	stopping := c.stopping
	var drained chan struct{}
	var silence <-chan time.Time // while the session lingers
	var last time.Time           // when it no longer does
	var read int64               // what the stream had read when it last looked
	seen, since := int64(0), time.Now()
	for {
		var err error
		select {
		case <-c.stream.ended:
			if c.stream.err == errExited {
				return errors.Join(errExited, c.flush())
			}
			return nil
		case <-c.out.wake:
			// Let the calls that are ready add to what is written at once.
			runtime.Gosched()
			err = c.flush()
		case data := <-c.stream.pings:
			err = c.control(websocket.PongMessage, []byte(data))
		case <-ping.C:
			if c.idle(&seen, &since) {
				return errIdle
			}
			err = c.control(websocket.PingMessage, nil)
		case <-c.expelled:
			return errExpelled
		case <-stopping:
			stopping = nil
			c.cancel(hub.ErrShutdown)
			silence, last, read = time.After(quiet), time.Now().Add(linger), c.stream.reads.Load()
		case <-silence:
			if now := c.stream.reads.Load(); now != read && time.Now().Before(last) {
				silence, read = time.After(quiet), now
				continue
			}
			silence = nil
			c.closeCalls()
			drained = make(chan struct{})
			go func() { // ends with the calls
				c.calls.Wait()
				close(drained)
			}()
		case <-drained:
			if err = c.flush(); err == nil {
				err = hub.ErrShutdown
			}
		}
		if c.socket.hasStalled() {
			return errStalled
		}
		if err != nil {
			return err
		}
	}
}

// idle tells whether the client has had no call for too long. seen is how many
// messages it had sent when it last had one, or sent one, and since when that
// was.
func (c *session) idle(seen *int64, since *time.Time) bool {
	c.mu.Lock()
	busy := c.active > 0
	c.mu.Unlock()
	if reads := c.stream.reads.Load(); busy || reads != *seen {
		*seen, *since = reads, time.Now()
	}
	return time.Since(*since) >= c.limits.IdleTimeout
}

// flushIfIdle writes what is queued, unless the writer is at it or something
// goes wrong: then the writer sees to it.
func (c *session) flushIfIdle() {
	if c.writing.TryLock() {
		err := c.flushLocked()
		c.writing.Unlock()
		if err == nil && !c.socket.hasStalled() {
			return
		}
		c.out.prod()
	}
	c.out.hurry()
}

// flush writes what is queued now.
func (c *session) flush() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.flushLocked()
}

func (c *session) flushLocked() error {
	batch := c.out.take()
	if batch == nil {
		return nil
	}
	defer c.out.give()
	c.socket.cork()
	var err error
	begin := 0
	for _, end := range batch.ends {
		err = c.ws.WriteMessage(websocket.TextMessage, batch.buf[begin:end])
		if err != nil || c.socket.hasStalled() {
			break
		}
		begin = end
	}
	return errors.Join(err, c.socket.uncork())
}

func (c *session) control(kind int, data []byte) error {
	return c.ws.WriteControl(kind, data, time.Now().Add(goodbye))
}

// bye says why the connection is closed. An error would mean that the client
// is gone already.
func (c *session) bye(code int, reason string) {
	c.socket.finish(goodbye)
	_ = c.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
}

// closeCalls makes every further call refused, so that calls can be waited
// for.
func (c *session) closeCalls() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.wakeReader()
}
