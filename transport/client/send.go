// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// maxQueued is how many requests may wait to be sent; further calls wait with
// theirs.
const maxQueued = 64

// sendQueue is what the writer of a connection has to send.
type sendQueue struct {
	requests chan outgoing
	urgent   chan struct{} // signals that frames are there

	mu     sync.Mutex
	frames [][]byte // sent first: unsubscriptions and answers to questions
}

// outgoing is the request of a stream.
type outgoing struct {
	stream *stream
	frame  []byte
}

// push adds an urgent frame, without waiting for it to be sent. The answer to it
// is ignored.
func (q *sendQueue) push(frame []byte) {
	q.mu.Lock()
	q.frames = append(q.frames, frame)
	q.mu.Unlock()
	signal(q.urgent)
}

// pull takes the urgent frames.
func (q *sendQueue) pull() [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	frames := q.frames
	q.frames = nil
	return frames
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
	ping := time.NewTicker(c.Ping)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-c.lost:
			return c.lostErr
		case <-ctx.Done():
			// The hub still gets what is urgent: which streams to end, and the
			// answers to its questions.
			_ = c.flush(outgoing{})
			return ErrClosed
		case request := <-c.requests:
			// Let the calls that are ready add to what is written at once.
			runtime.Gosched()
			err = c.flush(request)
		case <-c.urgent:
			err = c.flush(outgoing{})
		case <-ping.C:
			if c.socket.Silent() >= c.Ping {
				err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.Dead))
			}
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

// flush writes what is urgent, the request, if there is one, and the others
// that wait.
func (c *connection) flush(request outgoing) error {
	c.socket.Cork()
	for _, frame := range c.pull() {
		if err := c.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		if request.stream != nil && request.stream.markSent() {
			if err := c.ws.WriteMessage(websocket.TextMessage, request.frame); err != nil {
				return err
			}
		}
		if n == maxQueued { // urgent frames may be waiting
			return c.socket.Uncork()
		}
		select {
		case request = <-c.requests:
		default:
			return c.socket.Uncork()
		}
	}
}
