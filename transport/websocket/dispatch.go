// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"bytes"
	"strconv"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/wire"
)

// dispatch serves a message, on the reader's goroutine. A client that does not
// read its answers is not read from either, and begins no calls.
func (c *session) dispatch(m wire.Message) {
	if c.rate.wait(max(1, len(m.Batch)), c.ctx.Done()) {
		c.server.count(&c.server.counts.Slowed)
		if !c.slowed {
			c.slowed = true
			c.server.log.Info("slowing down a client that calls too often", "remote", c.remote, "max", c.server.limits.MaxCallsPerSecond)
		}
	}
	if m.Batch != nil {
		c.batch(m.Batch)
	} else {
		c.single(&m.Request)
	}
	// Some clients wait for more after an answer to a question.
	for _, method := range c.responded {
		c.queue.answer(wire.AppendResponded(nil, method, c.server.hub.Hash(), time.Now()), false)
	}
	c.responded = nil
}

// single serves a message that is one request.
func (c *session) single(r *wire.Request) {
	var room [128]byte
	answer, call := c.handle(room[:0], r, &admission{})
	// A quick call needs neither another goroutine to run it nor one to write
	// its answer, where nobody else writes.
	quick := call != nil && call.Quick()
	c.queue.answer(answer, call != nil)
	switch {
	case quick:
		call.quick = true
		c.run(call)
		c.flushIfIdle()
	case call != nil:
		go c.run(call)
	}
}

// batch serves each member as if alone, but sends their direct answers as one
// array, before the first item of any stream.
func (c *session) batch(members []wire.Request) {
	var started []*call
	// Also where the parameters of another end the goroutine.
	defer func() { c.launch(started...) }()
	var answers []byte // each behind a comma
	admission := admission{batch: true}
	for i := range members {
		longer, call := c.handle(append(answers, ','), &members[i], &admission)
		if len(longer) > len(answers)+1 {
			answers = longer
		}
		if call != nil {
			started = append(started, call)
		}
	}
	if len(answers) > 0 {
		answers[0] = '['
		c.queue.answer(append(answers, ']'), false)
	}
}

// handle does what a request asks for, and appends the direct answer to dst:
// nothing for a notification, which starts nothing. A call is admitted, but not
// yet run.
func (c *session) handle(dst []byte, r *wire.Request, admission *admission) ([]byte, *call) {
	id, params, err := r.IDText, wire.Text(r.Params), r.Err
	if err != nil {
		return wire.AppendError(dst, id, err), nil
	}
	if r.Notif {
		return dst, nil
	}
	switch target := wire.Resolve(c.server.hub, r.Method); target.Action {
	case wire.Subscribe:
		var call *call
		if call, err = c.begin(target, params, admission); err == nil {
			return wire.AppendSubscription(dst, id, call.subscription), call
		}
	case wire.Unsubscribe:
		running := c.unsubscribe(wire.ParseSubscription(params))
		return wire.AppendResult(dst, id, strconv.AppendBool(nil, running)), nil
	case wire.Respond:
		if err = wire.ErrorOf(c.server.hub.Respond(c.ctx, params)); err == nil {
			c.calls.willEnd() // the one that has asked
			c.responded = append(c.responded, r.Method)
			return wire.AppendResult(dst, id, []byte(wire.Responded)), nil
		}
	default:
		err = wire.MethodNotFound
	}
	return wire.AppendError(dst, id, err), nil
}

// begin binds and admits a call. Parameters that are a small part of a large
// message, which a call that lasts would keep, are copied.
func (c *session) begin(target wire.Target, params []byte, admission *admission) (*call, *jsonrpc2.Error) {
	if c.reader.size > 4<<10 && len(params) < c.reader.size/2 {
		params = bytes.Clone(params)
	}
	bound, err := target.Route.Bind(params)
	if err != nil {
		bound.Observe(c.ctx)
		return nil, wire.ErrorOf(err)
	}
	c.queue.await()
	call := &call{Call: bound, notify: target.Notify, bytes: int64(len(params))}
	return call, c.admit(call, admission)
}
