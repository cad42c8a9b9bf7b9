// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// call is a call in flight.
type call struct {
	hub.Call
	notify       string // the method that its notifications name
	subscription int64
	bytes        int64 // of its parameters
	quick        bool  // it is run, and answered, by the reader
	ctx          context.Context
	cancel       context.CancelCauseFunc
	asked        bool         // it has asked its caller
	muted        bool         // nothing more of it is queued; guarded by the lock of the send queue
	item         *plugin.Item // that is being queued; nil for none
}

// firstQuestion is how much later than the answer to its request a call asks
// first: generated clients begin to listen to a stream once they have read that
// answer, and would lose a question that comes in the same moment.
const firstQuestion = time.Millisecond

// calls are the calls of one connection that are in flight.
type calls struct {
	ended   signal // a call has ended
	running sync.WaitGroup

	mu             sync.Mutex
	bySubscription map[int64]*call // that can be unsubscribed from
	count          int
	bytes          int64   // of the parameters of all
	started        int     // how many of them run
	waiting        []*call // of batches, to be started as others end
	// futile: a call has waited too long. No other waits until one ends, or is
	// about to: the message that ends one may be the next.
	futile bool
	closed bool // no call is admitted any more
}

// admission is the wait of one message's calls for others to end.
type admission struct {
	deadline time.Time // for all of them; zero before the first has waited
	batch    bool      // they are started later, and as there is room
	own      int       // calls of the message that are in flight: none waits for them
	ownBytes int64     // of their parameters
}

// full reports whether there are too many calls, but for those of a.
func (c *calls) full(limits *Limits, a *admission) bool {
	return c.count-a.own >= limits.MaxCalls || c.bytes-a.ownBytes >= limits.MaxMessageBytes
}

// admit lets a call begin, and waits for another to end if there are too many. A
// call that never waits is over before there could be another.
func (c *session) admit(call *call, a *admission) *jsonrpc2.Error {
	calls := &c.calls
	calls.mu.Lock()
	defer calls.mu.Unlock()
	full := func() bool { return !call.Quick() && calls.full(&c.server.limits, a) }
	for full() && !calls.futile && !calls.closed {
		calls.mu.Unlock()
		inTime := c.waitForEnd(a)
		calls.mu.Lock()
		calls.futile = !inTime && full()
	}
	switch {
	case calls.closed:
		return wire.NewError(plugin.CodeFailure, hub.ErrShutdown.Error(), "")
	case full():
		c.server.count(&c.server.counts.Busy)
		return wire.NewError(plugin.CodeTooMany, "Too many calls",
			fmt.Sprintf("%d calls are running on this connection, as many as it may have", calls.count))
	}
	a.own++
	a.ownBytes += call.bytes
	if !a.batch {
		calls.started++
	}
	calls.count++
	calls.bytes += call.bytes
	calls.running.Add(1)
	call.ctx, call.cancel = context.WithCancelCause(c.ctx)
	call.subscription = c.server.ids.Next()
	calls.bySubscription[call.subscription] = call
	return nil
}

// waitForEnd waits for a call to end, and reports whether there may be room.
// Calls can't end while their client does not read, so that time does not count.
func (c *session) waitForEnd(a *admission) bool {
	if a.deadline.IsZero() {
		a.deadline = time.Now().Add(c.server.limits.CallWait)
	}
	timer := time.NewTimer(time.Until(a.deadline))
	defer timer.Stop()
	select {
	case <-c.calls.ended:
		return true
	case <-timer.C:
	}
	if c.queue.await() {
		a.deadline = time.Now().Add(c.server.limits.CallWait)
		return true
	}
	return false
}

// finish makes room for another call.
func (c *session) finish(call *call) {
	call.cancel(nil)
	calls := &c.calls
	calls.mu.Lock()
	delete(calls.bySubscription, call.subscription)
	calls.count--
	calls.started--
	calls.bytes -= call.bytes
	calls.futile = false
	calls.mu.Unlock()
	c.launch()
	calls.ended.set()
	calls.running.Done()
}

// launch starts calls of batches, and those that have waited, as far as they may
// run at once. Those that never wait are not waited for either.
func (c *session) launch(more ...*call) {
	calls := &c.calls
	calls.mu.Lock()
	defer calls.mu.Unlock()
	for _, call := range more {
		if call.Quick() {
			calls.started++
			go c.run(call)
		} else {
			calls.waiting = append(calls.waiting, call)
		}
	}
	for len(calls.waiting) > 0 && calls.started < c.server.limits.MaxCalls {
		calls.started++
		go c.run(calls.waiting[0])
		calls.waiting = slices.Delete(calls.waiting, 0, 1)
	}
}

// forget removes a call from those that can be unsubscribed from, and returns
// it; nil where it was not among them.
func (c *calls) forget(subscription int64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.bySubscription[subscription]
	delete(c.bySubscription, subscription)
	return call
}

// willEnd says that a call is about to end, so that others wait again.
func (c *calls) willEnd() {
	c.mu.Lock()
	c.futile = false
	c.mu.Unlock()
}

func (c *calls) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count == 0
}

// close refuses every further call, so that those in flight can be waited for.
func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.ended.set()
}

// unsubscribe ends a stream and reports whether it was running. Nothing of it
// is queued any more once this has returned.
func (c *session) unsubscribe(subscription int64) bool {
	call := c.calls.forget(subscription)
	if call == nil {
		return false
	}
	c.calls.willEnd()
	c.queue.mute(call)
	call.cancel(errUnsubscribed)
	return true
}

// run runs a call, whose subscription was answered, to its end.
func (c *session) run(call *call) {
	defer c.finish(call)
	if !call.quick {
		c.queue.wake.set() // not before, so that a first item may be written with the answer
	}
	defer func() {
		if call.item != nil { // its content has ended the goroutine while it was written
			c.fail(call, call.item, errNotJSON)
		}
	}()
	for item := range call.Items(call.ctx) {
		if item.Kind == plugin.KindDone || item.Kind == plugin.KindError && !item.Recoverable {
			c.calls.forget(call.subscription)
		}
		if item.Kind == plugin.KindRequest && !call.asked {
			call.asked = true
			c.queue.flushed(call)
			time.Sleep(firstQuestion)
		}
		call.item = item
		err := c.queue.item(call, item)
		call.item = nil
		if err != nil {
			c.fail(call, item, err)
			return
		}
	}
}

// fail ends a stream with an error in place of an item that was not queued.
// Nothing is sent where nobody wants the item.
func (c *session) fail(call *call, item *plugin.Item, err error) {
	failure := plugin.Item{Kind: plugin.KindError, Metadata: item.Metadata}
	switch {
	case errors.Is(err, errNotJSON):
		c.server.log.Error("a result can't be written as JSON", "method", item.ContentType, "error", err)
		failure.Code, failure.Message = fmt.Sprint(plugin.CodeInternal), errNotJSON.Error()
	case errors.Is(err, errBusy):
		failure.Code = fmt.Sprint(plugin.CodeTooMany)
		failure.Message = fmt.Sprintf("%v (limit: %d bytes): try again in %v", err, c.queue.memory.limit, c.server.limits.StallTimeout)
	default:
		return
	}
	c.calls.forget(call.subscription)
	_ = c.queue.item(call, &failure)
}
