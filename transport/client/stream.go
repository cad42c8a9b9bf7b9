// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// stream is one call on one connection.
type stream struct {
	queue
	method string // as the caller named it
	target string // the top-level method that it is sent to
	id     int64  // of the request

	// These are guarded by connection.mu.
	size         int    // of the request in bytes
	sent         bool   // the hub may have got the request
	subscription []byte // JSON text; nil before the answer
	left         bool   // its range has ended
}

// retire lets no call begin any more. It reports whether none is left.
func (c *connection) retire() (idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = cmp.Or(c.err, ErrLost)
	return len(c.pending)+len(c.streams) == 0
}

// begin sends the request of s, a frame. An error means that it is not sent.
func (c *connection) begin(s *stream, frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	s.size = len(frame)
	c.pending[s.id] = s
	c.push(outgoing{frame, s})
	return nil
}

// markSent reports whether the request of s is to be sent now: its range may
// have ended.
func (c *connection) markSent(s *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.sent = !s.left
	return s.sent
}

// leave discards s, and ends it at the hub if it runs there. It may be called at
// any time. It reports whether the hub may have got the request.
func (c *connection) leave(s *stream) (sent bool) {
	s.discard()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s.left:
	case !s.sent:
		delete(c.pending, s.id)
		c.queue = slices.DeleteFunc(c.queue, func(o outgoing) bool { return o.stream == s })
	case s.subscription != nil:
		c.unsubscribe(s)
	}
	// Else it is still to be answered, and then unsubscribed from.
	s.left = true
	return s.sent
}

// unsubscribe ends s at the hub, unless it has ended. The lock is held.
func (c *connection) unsubscribe(s *stream) {
	key := string(wire.Key(s.subscription))
	if c.streams[key] != s {
		return
	}
	delete(c.streams, key)
	c.push(outgoing{frame: wire.AppendUnsubscribe(nil, c.lastID.Add(1), s.target, s.subscription)})
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
		if s := c.pending[id]; s != nil && s.sent {
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
		case !s.sent:
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
	c.queue, c.pending, c.streams = nil, nil, nil
	c.mu.Unlock()
	for _, s := range all {
		s.end(err)
	}
}
