// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// stream is one call on one connection.
type stream struct {
	queue
	method string // as the caller named it
	target string // the top-level method that it is sent to
	id     int64  // of the request
	size   int    // of the request in bytes
	state  atomic.Int32

	// These are guarded by connection.mu.
	subscription []byte // JSON text; nil before the answer
	left         bool   // its range has ended
}

// The states of a stream's request. It changes once, from unsent to one of the
// others.
const (
	unsent int32 = iota
	sent
	withdrawn
)

// markSent marks the request as sent. It reports false for one that was
// withdrawn, which must not be sent.
func (s *stream) markSent() bool { return s.state.CompareAndSwap(unsent, sent) }

// wasSent reports whether the hub may have got the request.
func (s *stream) wasSent() bool { return s.state.Load() == sent }

// begin sends the request of s, a frame. An error means that it is not sent.
func (c *connection) begin(ctx context.Context, s *stream, frame []byte) error {
	s.size = len(frame)
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	c.pending[s.id] = s
	c.mu.Unlock()
	select {
	case c.requests <- outgoing{s, frame}:
		return nil
	case <-ctx.Done():
		c.leave(s)
		return contextError(ctx)
	case <-c.failed:
		return c.err
	}
}

// leave discards s, and ends it at the hub if it runs there. It may be called at
// any time.
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
	c.push(wire.AppendUnsubscribe(nil, c.lastID.Add(1), s.target, s.subscription))
}

// abandon fails a stream that the hub has not ended.
func (c *connection) abandon(subscription []byte, err error) {
	if s := c.stream(subscription, false); s != nil {
		s.end(err)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.unsubscribe(s)
	}
}

// stream returns the stream of a subscription; nil for none. With last, the
// subscription is forgotten.
func (c *connection) stream(subscription []byte, last bool) *stream {
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
func (c *connection) alone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)+len(c.pending) <= 1
}

// answered handles the answer to a request.
func (c *connection) answered(f *wire.Frame) {
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
func (c *connection) asked(f *wire.Frame) *stream {
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
func (c *connection) fail(err error) {
	c.mu.Lock()
	c.err = err
	all := slices.AppendSeq(slices.Collect(maps.Values(c.pending)), maps.Values(c.streams))
	c.pending, c.streams = nil, nil
	close(c.failed)
	c.mu.Unlock()
	for _, s := range all {
		s.end(err)
	}
}
