// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"runtime"
	"time"

	"github.com/gorilla/websocket"
)

// outgoing is a frame that waits to be sent. A call has one request there, which
// it takes back when it is given up: the queue is bounded by the calls that run.
type outgoing struct {
	frame  []byte
	stream *stream // whose request it is; nil for one whose answer is ignored
}

// push adds a frame, without waiting for it to be sent. The lock is held.
func (c *connection) push(o outgoing) {
	c.queue = append(c.queue, o)
	signal(c.queued)
}

// signal wakes whoever waits on c, now or the next time.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write is the writer. It returns why it can't go on.
func (c *connection) write(ctx context.Context) error {
	for {
		var err error
		select {
		case <-c.lost:
			return c.lostErr
		case <-ctx.Done():
			// The hub still gets which streams to end, and the answers to its
			// questions.
			_ = c.flush()
			return ErrClosed
		case <-c.queued:
			// Let the calls that are ready add to what is written at once.
			runtime.Gosched()
			err = c.flush()
		}
		if err != nil {
			return c.writeFailed(ctx, err)
		}
	}
}

// writeFailed returns why writing failed: the reader's error is closer to the
// cause.
func (c *connection) writeFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ErrClosed
	}
	select {
	case <-c.lost:
		return c.lostErr
	default:
		return lostError(err)
	}
}

// flush writes the frames that wait.
func (c *connection) flush() error {
	if payload, due := c.heart.next(); due {
		if err := c.ws.WriteControl(websocket.PingMessage, payload, time.Now().Add(c.Dead)); err != nil {
			return err
		}
	}
	c.mu.Lock()
	frames := c.queue
	c.queue = c.written[:0]
	c.mu.Unlock()
	c.socket.Cork()
	requests := false
	for _, o := range frames {
		if o.stream != nil && !c.markSent(o.stream) {
			continue
		}
		requests = requests || o.stream != nil
		if err := c.ws.WriteMessage(websocket.TextMessage, o.frame); err != nil {
			return err
		}
	}
	clear(frames)
	c.written = frames
	if requests {
		c.heart.hurry()
	}
	return c.socket.Uncork()
}
