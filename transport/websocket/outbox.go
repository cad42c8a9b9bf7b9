// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"context"
	"errors"
	"sync"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/transport/wire"
)

// errGone says that nothing more reaches the client.
var errGone = errors.New("the client is gone")

// outbox is what waits to be written to one client. Frames are encoded
// straight into it, and only when there is room: a call that waits holds no
// encoded item. So it holds at most its bounds and one item more.
type outbox struct {
	maxBytes  int
	maxFrames int
	wake      chan struct{} // tells the writer that something is there

	mu      sync.Mutex
	room    sync.Cond // on mu: there is room again, or err
	filling frames
	writing frames // lent to the writer
	err     error  // once set, all is refused
}

// frames are messages, one behind the other in one buffer.
type frames struct {
	buf  []byte
	ends []int
}

// reset empties f, and lets go of a buffer that one large item made.
func (f *frames) reset() {
	const keep = 8 << 10
	if cap(f.buf) > keep {
		f.buf = nil
	}
	if cap(f.ends) > keep/64 {
		f.ends = nil
	}
	f.buf, f.ends = f.buf[:0], f.ends[:0]
}

func newOutbox(maxBytes, maxFrames int) *outbox {
	o := &outbox{maxBytes: maxBytes, maxFrames: maxFrames, wake: make(chan struct{}, 1)}
	o.room.L = &o.mu
	return o
}

// begin waits for room and takes the lock; end gives it back. It fails when
// the client is gone, or when it has unsubscribed from the call whose context
// is ctx; nil waits for the client alone.
func (o *outbox) begin(ctx context.Context) error {
	o.mu.Lock()
	for {
		var err error
		switch {
		case o.err != nil:
			err = o.err
		case ctx != nil && context.Cause(ctx) == errUnsubscribed:
			err = errUnsubscribed
		case len(o.filling.buf)+len(o.writing.buf) < o.maxBytes &&
			len(o.filling.ends)+len(o.writing.ends) < o.maxFrames:
			return nil
		default:
			o.room.Wait()
			continue
		}
		o.mu.Unlock()
		return err
	}
}

// end adds the frame that buf, the filling buffer, now ends with.
func (o *outbox) end(buf []byte) {
	o.filling.buf = buf
	o.filling.ends = append(o.filling.ends, len(buf))
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// subscription queues the answer that a stream begins with.
func (o *outbox) subscription(id []byte, subscription int64) error {
	if err := o.begin(nil); err != nil {
		return err
	}
	o.end(wire.AppendSubscription(o.filling.buf, id, subscription))
	return nil
}

// item queues an item of the stream whose context is ctx. It waits while the
// outbox is full. An item that can't be written as JSON is an error, and
// leaves the outbox as it was.
func (o *outbox) item(ctx context.Context, method string, subscription int64, item *hub.Item) error {
	if err := o.begin(ctx); err != nil {
		return err
	}
	buf, err := wire.AppendNotification(o.filling.buf, method, subscription, item)
	if err != nil {
		o.mu.Unlock()
		return err
	}
	o.end(buf)
	return nil
}

// answer queues a frame that appendTo writes.
func (o *outbox) answer(appendTo func(dst []byte) []byte) error {
	if err := o.begin(nil); err != nil {
		return err
	}
	o.end(appendTo(o.filling.buf))
	return nil
}

// take lends the writer everything that is queued. The writer gives it back
// by its next call; nil tells that nothing is queued.
func (o *outbox) take() *frames {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing.reset()
	o.room.Broadcast()
	if len(o.filling.ends) == 0 {
		return nil
	}
	o.filling, o.writing = o.writing, o.filling
	return &o.writing
}

// fail refuses everything from now on, and whoever waits.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.room.Broadcast()
}

// nudge makes those who wait look at their contexts.
func (o *outbox) nudge() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.room.Broadcast()
}
