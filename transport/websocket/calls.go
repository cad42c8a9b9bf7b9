// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// call is a call that runs.
type call struct {
	hub.Call
	id           []byte // of the request, until it is answered
	notify       string // the method that its notifications name
	subscription int64
	bytes        int64 // of its parameters
	quick        bool  // it is run, and answered, by the reader
	ctx          context.Context
	cancel       context.CancelCauseFunc

	item  *plugin.Item // that is being queued
	muted bool         // by the lock of the outbox
}

// Handle serves the message that the stream has just read, on the reader's
// goroutine. A client that does not read what it is answered is not read from
// either, and begins no calls.
func (c *session) Handle(_ context.Context, conn *jsonrpc2.Conn, _ *jsonrpc2.Request) {
	m := c.stream.message
	returned := false
	defer func() {
		if !returned { // code of an activation has ended the goroutine, which is the reader
			c.log.Error("a method has ended the reader of its connection", "remote", c.remote)
			c.stream.end(errExited)
			conn.Close()
		}
	}()
	turn := turn{limit: c.limits.CallWait}
	defer turn.stop()
	if c.pace.wait(max(1, len(m.Batch)), c.ctx.Done()) {
		c.server.counts.slowed.Add(1)
		if !c.slowed {
			c.slowed = true
			c.log.Info("slowing down a client that calls too often", "remote", c.remote, "most", c.limits.MaxCallsPerSecond)
		}
	}
	if m.Deep {
		c.server.counts.deep.Add(1)
	}
	if m.Batch != nil {
		c.batch(m.Batch, &turn)
	} else {
		c.single(m.Request, &turn)
	}
	returned = true
}

// single serves a message that is one request.
func (c *session) single(r wire.Request, turn *turn) {
	a := c.prepare(r, turn)
	switch {
	case a.call != nil && a.call.Quick():
		// Neither another goroutine to run it nor one to write its answer,
		// where nobody else writes.
		a.call.quick = true
		c.serve(a.call, true)
		c.flushIfIdle()
	case a.call != nil:
		go c.serve(a.call, true)
	case !a.silent:
		c.out.answer(a.append)
	}
	if a.responded {
		c.afterResponse(r.Method)
	}
}

// afterResponse sends what some clients wait for after an answer to a question.
func (c *session) afterResponse(method string) {
	c.out.answer(func(dst []byte) []byte {
		return wire.AppendResponded(dst, method, c.hub.Hash(), time.Now())
	})
}

// batch serves each member as if alone, but sends their direct answers as one
// array, before the first item of any stream.
func (c *session) batch(members []wire.Request, turn *turn) {
	answers := []byte{'['}
	var calls []*call
	defer func() { // also where preparing another member ends the goroutine
		for _, call := range calls {
			go c.serve(call, false)
		}
	}()
	var responded []string // the methods of answers that were taken
	for _, r := range members {
		a := c.prepare(r, turn)
		if a.silent {
			continue
		}
		if a.responded {
			responded = append(responded, r.Method)
		}
		if len(answers) > 1 {
			answers = append(answers, ',')
		}
		answers = a.append(answers)
		if a.call != nil {
			calls = append(calls, a.call)
		}
	}
	if len(answers) > 1 {
		c.out.answer(func(dst []byte) []byte { return append(append(dst, answers...), ']') })
	}
	for _, method := range responded {
		c.afterResponse(method)
	}
}

// answer is the direct answer to a request.
type answer struct {
	id     []byte
	silent bool            // the request asked for none
	fault  *jsonrpc2.Error // the answer, or
	call   *call           // its subscription is the answer, or
	result string          // JSON text, the answer
	// responded tells that the request was the answer to a question, and was
	// taken.
	responded bool
}

func (a *answer) append(dst []byte) []byte {
	switch {
	case a.fault != nil:
		return wire.AppendError(dst, a.id, a.fault)
	case a.call != nil:
		return wire.AppendSubscription(dst, a.id, a.call.subscription)
	default:
		return wire.AppendResult(dst, a.id, []byte(a.result))
	}
}

// prepare routes a request and checks its parameters; a call waits its turn.
func (c *session) prepare(r wire.Request, turn *turn) (a answer) {
	a.id, a.fault = r.IDText, r.Err
	if a.fault != nil {
		return a
	}
	if r.Notif {
		a.silent = true // a notification starts nothing
		return a
	}
	defer func() {
		// Parameters may bring code of their own.
		if cause := recover(); cause != nil {
			c.log.Error("a request panicked", "method", r.Method, "panic", cause, "stack", string(debug.Stack()))
			a.fault = wire.InternalError
		}
	}()
	target := wire.Resolve(c.hub, r.Method)
	switch target.Action {
	case wire.Subscribe:
		params := c.detach(wire.Text(r.Params))
		bound, fault := target.Bind(params)
		if a.fault = fault; fault == nil {
			c.out.await()
			call := &call{Call: bound, id: r.IDText, notify: target.Notify, bytes: int64(len(params))}
			if a.fault = c.admit(call, turn); a.fault == nil {
				a.call = call
			}
		}
	case wire.Unsubscribe:
		id, ok := wire.ParseSubscription(wire.Text(r.Params))
		if !ok {
			a.fault = wire.InvalidParams("expected [subscription], the id that the call was answered with")
			return a
		}
		a.result = strconv.FormatBool(c.unsubscribe(id))
	case wire.Respond:
		if a.fault = target.Respond(c.ctx, wire.Text(r.Params)); a.fault == nil {
			a.result, a.responded = wire.Responded, true
			c.mu.Lock()
			c.jammed = false // the method that has asked goes on
			c.mu.Unlock()
		}
	default:
		a.fault = wire.MethodNotFound
	}
	return a
}

// detach copies parameters that are a small part of a large message, which a
// call that lasts would keep.
func (c *session) detach(params []byte) []byte {
	if c.stream.size > 4<<10 && len(params) < c.stream.size/2 {
		return bytes.Clone(params)
	}
	return params
}

// turn is how the calls of one message wait for others to end.
type turn struct {
	limit time.Duration
	timer *time.Timer // nil before the first has waited
	over  bool        // none may wait any more
	own   int         // how many calls of the message run, that none waits for
}

func (t *turn) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// admit waits until the call may run among the others, and gives it a
// subscription.
func (c *session) admit(call *call, turn *turn) *jsonrpc2.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The parameters of all calls together may be as long as one message, and
	// those of one call longer.
	for c.active >= c.limits.MaxCalls || c.held >= c.limits.MaxMessageBytes {
		if turn.over || c.jammed || c.active <= turn.own || c.stopped {
			break
		}
		c.waitForCall(turn)
	}
	switch {
	case c.stopped:
		return wire.NewError(plugin.CodeFailure, hub.ErrShutdown.Error(), "")
	case c.active >= c.limits.MaxCalls || c.held >= c.limits.MaxMessageBytes:
		c.server.counts.busy.Add(1)
		return wire.NewError(plugin.CodeTooMany, "Too many calls",
			fmt.Sprintf("%d calls are running on this connection, as many as it may have", c.active))
	}
	turn.own++
	c.active++
	c.held += call.bytes
	c.calls.Add(1)
	call.ctx, call.cancel = context.WithCancelCause(c.ctx)
	call.subscription = c.ids.Next()
	c.running[call.subscription] = call
	return nil
}

// waitForCall waits for a call to end, without the lock that it is called
// with.
func (c *session) waitForCall(turn *turn) {
	if turn.timer == nil {
		turn.timer = time.NewTimer(turn.limit)
	}
	c.waiting = true
	c.mu.Unlock()
	select {
	case <-c.freed:
	case <-turn.timer.C:
		if c.out.await() { // calls can't end while their client does not read
			turn.timer.Reset(turn.limit)
		} else {
			turn.over = true
		}
	}
	c.mu.Lock()
	c.waiting, c.jammed = false, turn.over
}

func (c *session) wakeReader() {
	select {
	case c.freed <- struct{}{}:
	default:
	}
}

// end gives back what admit gave.
func (c *session) end(call *call) {
	call.cancel(nil)
	c.mu.Lock()
	delete(c.running, call.subscription)
	c.active--
	c.held -= call.bytes
	c.jammed = false
	waiting := c.waiting
	c.mu.Unlock()
	if waiting {
		c.wakeReader()
	}
	c.calls.Done()
}

// serve runs a call to its end. Without announce, the subscription was
// answered already.
func (c *session) serve(call *call, announce bool) {
	defer c.end(call)
	defer func() {
		// The hub answers for what a method does, but not for content that
		// ends the goroutine when it is written.
		if cause := recover(); cause != nil {
			c.log.Error("a stream panicked", "subscription", call.subscription, "panic", cause, "stack", string(debug.Stack()))
		}
		if call.item != nil {
			c.unwritten(call, call.item, errExited)
		}
	}()
	if announce {
		// A client that can't hear this has still asked for the call.
		_ = c.out.subscription(call)
	}
	call.id = nil // a part of the message
	for item := range call.Items(call.ctx) {
		call.item = item
		if item.Kind == plugin.KindDone || item.Kind == plugin.KindError && !item.Recoverable {
			c.forget(call)
		}
		err := c.out.item(call, item)
		call.item = nil
		if err == nil {
			continue
		}
		var bad *unencodable
		if errors.As(err, &bad) {
			c.unwritten(call, item, err)
		} else if err == errBusy {
			c.forget(call)
			c.failed(call, item, plugin.CodeTooMany, fmt.Sprintf("%v, of %d bytes that may be: try again in %v",
				err, c.out.shared.limit, c.limits.StallTimeout))
		}
		return
	}
}

// unwritten ends a stream whose item can't be written.
func (c *session) unwritten(call *call, item *plugin.Item, err error) {
	c.log.Error("a result can't be written as JSON", "method", item.ContentType, "error", err)
	c.forget(call)
	c.failed(call, item, plugin.CodeInternal, "the result can't be written as JSON")
}

// failed ends a stream with an error instead of an item.
func (c *session) failed(call *call, item *plugin.Item, code int, message string) {
	*item = plugin.Item{Kind: plugin.KindError, Metadata: item.Metadata, Code: strconv.Itoa(code), Message: message}
	_ = c.out.item(call, item)
}

// forget makes that a call can't be unsubscribed from any more: its last item
// is about to be queued.
func (c *session) forget(call *call) {
	c.mu.Lock()
	delete(c.running, call.subscription)
	c.mu.Unlock()
}

// unsubscribe ends a stream and tells whether it was running. Nothing of it is
// queued any more once this has returned.
func (c *session) unsubscribe(subscription int64) bool {
	c.mu.Lock()
	call := c.running[subscription]
	delete(c.running, subscription)
	if call != nil {
		c.jammed = false // there will be room
	}
	c.mu.Unlock()
	if call == nil {
		return false
	}
	c.out.mute(call)
	call.cancel(errUnsubscribed)
	return true
}

// fault answers what can't be answered otherwise.
func (c *session) fault(id []byte, f *jsonrpc2.Error) {
	c.out.answer(func(dst []byte) []byte { return wire.AppendError(dst, id, f) })
}
