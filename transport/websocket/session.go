// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/wire"
)

// goodbye is how long a client has to answer a close, and to take what is
// sent before it.
const goodbye = time.Second

// session is one connection. Three goroutines are its own: the reader and the
// watchdog of jsonrpc2, and run, which writes and outlives them all.
type session struct {
	hub    *hub.Hub
	ids    *wire.Subscriptions
	limits Limits
	log    *slog.Logger

	ws     *websocket.Conn
	socket *socket
	stream *objectStream
	out    *outbox

	ctx      context.Context // of all calls
	cancel   context.CancelCauseFunc
	stopping chan struct{} // closed to end the session gracefully
	slots    chan struct{} // one taken by each call that runs
	calls    sync.WaitGroup

	mu      sync.Mutex
	running map[int64]context.CancelCauseFunc // by subscription
	stopped bool                              // no call may start any more
}

// Why the streams of a session are cancelled, beside hub.ErrShutdown.
var (
	errLeft         = errors.New("the client left")
	errUnsubscribed = errors.New("the client unsubscribed")
)

func newSession(s *Server, ws *websocket.Conn, under *socket) *session {
	c := &session{
		hub:      s.hub,
		ids:      s.ids,
		limits:   s.limits,
		log:      s.log,
		ws:       ws,
		socket:   under,
		out:      newOutbox(s.limits.QueueBytes, s.limits.QueueFrames),
		stopping: make(chan struct{}),
		slots:    make(chan struct{}, s.limits.Calls),
		running:  map[int64]context.CancelCauseFunc{},
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.stream = newObjectStream(ws, s.limits, func(f *wire.Fault) { c.fault(nil, f) })
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
	reason := c.write(conn.DisconnectNotify())
	c.out.fail(errGone)
	if reason != nil {
		// What was sent before the connection broke is still read and run:
		// the reader ends by itself, soon.
		c.ws.SetReadDeadline(time.Now().Add(goodbye))
		<-conn.DisconnectNotify()
	}
	c.cancel(errLeft)
	c.closeCalls()
	c.calls.Wait()
	conn.Close()
	c.socket.Close()
}

// write is the writer: it returns when the client has gone (nil) or can't be
// reached any more.
func (c *session) write(gone <-chan struct{}) error {
	ping := time.NewTicker(c.limits.PingInterval)
	defer ping.Stop()
	stopping := c.stopping
	var drained chan struct{}
	for {
		select {
		case <-gone:
			return nil
		case <-c.out.wake:
			// Let the calls that are ready add to what is written at once.
			runtime.Gosched()
			if err := c.flush(); err != nil {
				return err
			}
		case <-ping.C:
			if err := c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(goodbye)); err != nil {
				return err
			}
		case <-stopping:
			stopping = nil
			c.cancel(hub.ErrShutdown)
			c.out.nudge()
			c.closeCalls()
			drained = make(chan struct{})
			go func() { // ends with the calls
				c.calls.Wait()
				close(drained)
			}()
		case <-drained:
			if err := c.flush(); err != nil {
				return err
			}
			c.bye(websocket.CloseGoingAway, hub.ErrShutdown.Error())
			select {
			case <-gone:
			case <-time.After(goodbye):
			}
			return nil
		}
	}
}

// flush writes what is queued.
func (c *session) flush() error {
	for batch := c.out.take(); batch != nil; batch = c.out.take() {
		c.socket.cork()
		begin := 0
		for _, end := range batch.ends {
			if err := c.ws.WriteMessage(websocket.TextMessage, batch.buf[begin:end]); err != nil {
				return c.broken(err)
			}
			begin = end
			if c.socket.hasStalled() {
				break
			}
		}
		if err := c.socket.uncork(); err != nil || c.socket.hasStalled() {
			return c.broken(err)
		}
	}
	return nil
}

// errStalled is why a client that does not read is closed.
var errStalled = errors.New("the client does not read")

// broken closes a connection that could not be written to in time, or at all.
func (c *session) broken(err error) error {
	if !c.socket.hasStalled() {
		return err
	}
	c.log.Warn("closing a client that does not read", "remote", c.ws.RemoteAddr().String())
	c.out.fail(errStalled)
	if err == nil {
		c.bye(websocket.ClosePolicyViolation, errStalled.Error())
	}
	c.socket.abort()
	return errStalled
}

func (c *session) bye(code int, reason string) {
	// An error means that the client is gone already.
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(goodbye))
}

// closeCalls makes every further call refused, so that calls can be waited
// for.
func (c *session) closeCalls() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
}

// Handle serves the message that the stream has just read, on the reader's
// goroutine. A client that does not read what it is answered is not read from
// either.
func (c *session) Handle(context.Context, *jsonrpc2.Conn, *jsonrpc2.Request) {
	m := c.stream.message
	if m.Batch != nil {
		c.batch(m.Batch)
		return
	}
	p := c.prepare(m.Request, c.limits.CallWait)
	switch {
	case p.serve:
		go c.serve(p, true)
	case !p.silent:
		c.out.answer(p.appendAnswer)
	}
}

// batch serves each member as if alone, but sends their direct answers as one
// array, before the first item of any stream.
func (c *session) batch(members []wire.Request) {
	answers := []byte{'['}
	var calls []prepared
	for _, r := range members {
		p := c.prepare(r, 0)
		if p.silent {
			continue
		}
		if len(answers) > 1 {
			answers = append(answers, ',')
		}
		answers = p.appendAnswer(answers)
		if p.serve {
			calls = append(calls, p)
		}
	}
	if len(answers) > 1 {
		c.out.answer(func(dst []byte) []byte { return append(append(dst, answers...), ']') })
	}
	for _, p := range calls {
		go c.serve(p, false)
	}
}

// prepared is a request that was looked at: its direct answer, and the call to
// serve where it is one.
type prepared struct {
	id     []byte
	silent bool        // it asked for no answer
	fault  *wire.Fault // the answer, or
	result string      // JSON text, the answer, or

	serve        bool // the subscription is the answer
	call         hub.Call
	notify       string
	subscription int64
	ctx          context.Context
}

func (p *prepared) appendAnswer(dst []byte) []byte {
	switch {
	case p.fault != nil:
		return wire.AppendFault(dst, p.id, p.fault)
	case p.serve:
		return wire.AppendSubscription(dst, p.id, p.subscription)
	default:
		return wire.AppendResult(dst, p.id, []byte(p.result))
	}
}

// prepare routes a request and checks its parameters. A call takes a slot,
// waiting for it as long as given.
func (c *session) prepare(r wire.Request, wait time.Duration) prepared {
	p := prepared{id: r.ID, fault: r.Fault}
	if p.fault != nil {
		return p
	}
	if r.ID == nil {
		p.silent = true // a notification starts nothing
		return p
	}
	target := wire.Resolve(c.hub, r.Method)
	switch target.Action {
	case wire.Subscribe:
		if p.call, p.fault = target.Bind(r.Params); p.fault == nil {
			p.notify = target.Notify
			p.fault = c.admit(&p, wait)
		}
	case wire.Unsubscribe:
		id, ok := wire.ParseSubscription(r.Params)
		if !ok {
			p.fault = wire.InvalidParams("expected [subscription], the id that the call was answered with")
			return p
		}
		p.result = strconv.FormatBool(c.unsubscribe(id))
	case wire.Respond:
		if p.fault = target.Respond(r.Params); p.fault == nil {
			p.result = `{"success":true}`
		}
	default:
		p.fault = wire.MethodNotFound
	}
	return p
}

// admit takes a slot for the call and gives it a subscription.
func (c *session) admit(p *prepared, wait time.Duration) *wire.Fault {
	if !c.takeSlot(wait) {
		return &wire.Fault{
			Code:    plugin.CodeTooMany,
			Message: "Too many calls",
			Data:    fmt.Sprintf("%d calls are running on this connection, as many as it may have", c.limits.Calls),
		}
	}
	ctx, cancel := context.WithCancelCause(c.ctx)
	p.serve, p.ctx, p.subscription = true, ctx, c.ids.Next()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		cancel(nil)
		<-c.slots
		p.serve = false
		return &wire.Fault{Code: plugin.CodeFailure, Message: hub.ErrShutdown.Error()}
	}
	c.running[p.subscription] = cancel
	c.calls.Add(1)
	return nil
}

func (c *session) takeSlot(wait time.Duration) bool {
	select {
	case c.slots <- struct{}{}:
		return true
	default:
	}
	if wait == 0 {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case c.slots <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

// serve runs a call to its end. Without announce, the subscription was
// answered already.
func (c *session) serve(p prepared, announce bool) {
	defer c.calls.Done()
	defer func() { <-c.slots }()
	defer c.finish(p.subscription)
	if announce {
		// A client that can't hear this has still asked for the call.
		_ = c.out.subscription(p.id, p.subscription)
	}
	for item := range p.call.Items(p.ctx) {
		err := c.out.item(p.ctx, p.notify, p.subscription, item)
		if err == nil {
			continue
		}
		if !errors.Is(err, errGone) && !errors.Is(err, errStalled) && !errors.Is(err, errUnsubscribed) {
			c.log.Error("a result can't be written as JSON", "method", item.ContentType, "error", err)
			*item = hub.Item{Kind: hub.Error, Metadata: item.Metadata, Code: plugin.CodeInternal, Message: "the result can't be written as JSON"}
			_ = c.out.item(p.ctx, p.notify, p.subscription, item)
		}
		return
	}
}

func (c *session) finish(subscription int64) {
	c.mu.Lock()
	cancel := c.running[subscription]
	delete(c.running, subscription)
	c.mu.Unlock()
	if cancel != nil {
		cancel(nil)
	}
}

// unsubscribe ends a stream and tells whether it was running. Nothing of it is
// queued any more once this has returned.
func (c *session) unsubscribe(subscription int64) bool {
	c.mu.Lock()
	cancel := c.running[subscription]
	delete(c.running, subscription)
	c.mu.Unlock()
	if cancel == nil {
		return false
	}
	cancel(errUnsubscribed)
	c.out.nudge()
	return true
}

// fault answers what can't be answered otherwise.
func (c *session) fault(id []byte, f *wire.Fault) {
	c.out.answer(func(dst []byte) []byte { return wire.AppendFault(dst, id, f) })
}
