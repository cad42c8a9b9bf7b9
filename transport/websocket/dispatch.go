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
			c.log.Info("slowing down a client that calls too often", "remote", c.remote, "max", c.limits.MaxCallsPerSecond)
		}
	}
	if m.Batch != nil {
		c.batch(m.Batch)
	} else {
		c.single(&m.Request)
	}
}

// single serves a message that is one request.
func (c *session) single(r *wire.Request) {
	a := c.handle(r, &admission{})
	switch {
	case a.call != nil && a.call.Quick():
		// Neither another goroutine to run it nor one to write its answer,
		// where nobody else writes.
		a.call.quick = true
		c.run(a.call, true)
		c.flushIfIdle()
	case a.call != nil:
		go c.run(a.call, true)
	case !a.silent:
		c.queue.answer(a.append)
	}
	if a.responded {
		c.afterResponse(r.Method)
	}
}

// batch serves each member as if alone, but sends their direct answers as one
// array, before the first item of any stream.
func (c *session) batch(members []wire.Request) {
	answers := []byte{'['}
	var started []*call
	defer func() { // also where the parameters of another end the goroutine
		for _, call := range started {
			go c.run(call, false)
		}
	}()
	var responded []string // the methods of answers that were taken
	var admission admission
	for i := range members {
		a := c.handle(&members[i], &admission)
		if a.silent {
			continue
		}
		if a.responded {
			responded = append(responded, members[i].Method)
		}
		if len(answers) > 1 {
			answers = append(answers, ',')
		}
		answers = a.append(answers)
		if a.call != nil {
			started = append(started, a.call)
		}
	}
	if len(answers) > 1 {
		c.queue.answer(func(dst []byte) []byte { return append(append(dst, answers...), ']') })
	}
	for _, method := range responded {
		c.afterResponse(method)
	}
}

// afterResponse sends what some clients wait for after an answer to a question.
func (c *session) afterResponse(method string) {
	c.queue.answer(func(dst []byte) []byte {
		return wire.AppendResponded(dst, method, c.server.hub.Hash(), time.Now())
	})
}

// answer is the direct answer to a request.
type answer struct {
	id     []byte
	silent bool            // the request asked for none
	err    *jsonrpc2.Error // the answer, or
	call   *call           // its subscription is the answer, or
	result string          // JSON text, the answer
	// responded reports that the request was the answer to a question, and was
	// taken.
	responded bool
}

func (a *answer) append(dst []byte) []byte {
	switch {
	case a.err != nil:
		return wire.AppendError(dst, a.id, a.err)
	case a.call != nil:
		return wire.AppendSubscription(dst, a.id, a.call.subscription)
	default:
		return wire.AppendResult(dst, a.id, []byte(a.result))
	}
}

// handle does what a request asks for. A call is admitted, but not yet run.
func (c *session) handle(r *wire.Request, admission *admission) answer {
	a := answer{id: r.IDText, err: r.Err}
	switch {
	case a.err != nil:
		return a
	case r.Notif: // which starts nothing
		a.silent = true
		return a
	}
	params := wire.Text(r.Params)
	switch target := wire.Resolve(c.server.hub, r.Method); target.Action {
	case wire.Subscribe:
		a.call, a.err = c.begin(r, target, c.detach(params), admission)
	case wire.Unsubscribe:
		if id, ok := wire.ParseSubscription(params); ok {
			a.result = strconv.FormatBool(c.unsubscribe(id))
		} else {
			a.err = wire.InvalidParams("expected [subscription], the id that the call was answered with")
		}
	case wire.Respond:
		if a.err = target.Respond(c.ctx, params); a.err == nil {
			a.result, a.responded = wire.Responded, true
			c.calls.willEnd() // the one that has asked
		}
	default:
		a.err = wire.MethodNotFound
	}
	return a
}

// begin prepares a call.
func (c *session) begin(r *wire.Request, target wire.Target, params []byte, admission *admission) (*call, *jsonrpc2.Error) {
	bound, err := target.Bind(params)
	if err != nil {
		return nil, err
	}
	c.queue.await()
	call := &call{Call: bound, id: r.IDText, notify: target.Notify, bytes: int64(len(params))}
	if err := c.admit(call, admission); err != nil {
		return nil, err
	}
	return call, nil
}

// detach copies parameters that are a small part of a large message, which a
// call that lasts would keep.
func (c *session) detach(params []byte) []byte {
	if c.reader.size > 4<<10 && len(params) < c.reader.size/2 {
		return bytes.Clone(params)
	}
	return params
}
