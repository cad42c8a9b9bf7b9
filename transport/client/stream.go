// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// stream is one call on one connection.
type stream struct {
	queue
	method string // as the caller named it
	target string // the top-level method that it is sent to
	state  atomic.Int32

	id   int64 // of the request
	size int   // of the request in bytes

	// These are guarded by calls.mu.
	subscription []byte // JSON text; nil before the answer
	left         bool   // nobody takes its items any more
}

// The states of a stream's request. It changes once, from unsent to one of the
// others.
const (
	unsent int32 = iota
	sent
	withdrawn
)

func newStream(method, target string) *stream {
	return &stream{queue: newQueue(), method: method, target: target}
}

// markSent notes that the request is sent; it reports false where that was
// withdrawn.
func (s *stream) markSent() bool { return s.state.CompareAndSwap(unsent, sent) }

// wasSent reports whether the hub may have got the request.
func (s *stream) wasSent() bool { return s.state.Load() == sent }

// calls are the streams of a connection.
type calls struct {
	send   *sendQueue
	failed chan struct{} // closed by fail

	mu      sync.Mutex
	lastID  int64              // of a request
	pending map[int64]*stream  // sent, or to be sent, and not answered, by id
	streams map[string]*stream // answered, by the key of the subscription
	err     error              // why no call can begin any more
}

func (c *calls) init(send *sendQueue) {
	c.send, c.failed = send, make(chan struct{})
	c.lastID = 1 // that of _info
	c.pending, c.streams = map[int64]*stream{}, map[string]*stream{}
}

// begin sends the request of s, which encode writes. It fails only where the
// request is not sent.
func (c *calls) begin(ctx context.Context, s *stream, encode func(id int64) []byte) error {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	c.lastID++
	s.id = c.lastID
	c.mu.Unlock()

	frame := encode(s.id)
	s.size = len(frame)
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	c.pending[s.id] = s
	c.mu.Unlock()
	select {
	case c.send.requests <- outgoing{s, frame}:
		return nil
	case <-ctx.Done():
		c.leave(s)
		return contextError(ctx)
	case <-c.failed:
		return c.err
	}
}

// notify sends a request soon, without waiting for it. Its answer is ignored.
func (c *calls) notify(encode func(id int64) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notifyLocked(encode)
}

func (c *calls) notifyLocked(encode func(id int64) []byte) {
	if c.err == nil {
		c.lastID++
		c.send.push(encode(c.lastID))
	}
}

// leave ends the interest in s, at the hub too if it runs. It may
// be called at any time.
func (c *calls) leave(s *stream) {
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
func (c *calls) unsubscribe(s *stream) {
	key := string(wire.Key(s.subscription))
	if c.streams[key] != s {
		return
	}
	delete(c.streams, key)
	c.notifyLocked(func(id int64) []byte {
		return wire.AppendUnsubscribe(nil, id, s.target, s.subscription)
	})
}

// abandon fails a stream that the hub has not ended.
func (c *calls) abandon(subscription []byte, err error) {
	s := c.stream(subscription, false)
	if s == nil {
		return
	}
	s.end(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsubscribe(s)
}

// stream returns the stream of a subscription; nil for none. With last, the
// subscription is forgotten.
func (c *calls) stream(subscription []byte, last bool) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := wire.Key(subscription)
	s := c.streams[string(key)]
	if last && s != nil {
		delete(c.streams, string(key))
	}
	return s
}

// alone reports whether the connection has no more than one call.
func (c *calls) alone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)+len(c.pending) <= 1
}

// answered handles the answer to a request.
func (c *calls) answered(f *wire.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.asked(f)
	if s == nil {
		return // to an unsubscription, for example
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

// asked returns the stream whose request is answered; nil for none. The lock
// is held.
func (c *calls) asked(f *wire.Frame) *stream {
	if id, err := strconv.ParseInt(string(wire.Key(f.ID)), 10, 64); err == nil {
		if s := c.pending[id]; s != nil && s.wasSent() {
			return s
		}
		return nil
	}
	if f.Err == nil {
		return nil
	}
	// The hub could not read the id. The request is known all the same when
	// there is only one, or when the largest one was too large.
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

// fail ends every stream, and all that would begin. Only the writer calls it.
func (c *calls) fail(err error) {
	c.mu.Lock()
	c.err = err
	var all []*stream
	for _, s := range c.pending {
		all = append(all, s)
	}
	for _, s := range c.streams {
		all = append(all, s)
	}
	c.pending, c.streams = nil, nil
	close(c.failed)
	c.mu.Unlock()
	for _, s := range all {
		s.end(err)
	}
}
