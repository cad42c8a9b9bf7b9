// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

var (
	// errGone says that nothing more reaches the client.
	errGone = errors.New("the client is gone")
	// errMuted says that the client has unsubscribed from the call.
	errMuted = errors.New("the client unsubscribed")
)

// unencodable is an item whose content can't be written as JSON.
type unencodable struct{ cause error }

var _ error = (*unencodable)(nil)

func (e *unencodable) Error() string { return e.cause.Error() }
func (e *unencodable) Unwrap() error { return e.cause }

// errBusy says that an item was not queued since all clients together hold as
// much as they may.
var errBusy = errors.New("too much is queued to slow clients")

// freeBytes is what one connection may hold without a part of the budget.
const freeBytes = 16 << 10

// outbox is what waits to be written to one client. Frames are encoded
// straight into it, and only when there is room: a call that waits holds no
// encoded item. So it holds at most its bounds and one item more; and an item
// that is larger than the bound has its turn among those of all clients before
// it is encoded.
type outbox struct {
	maxBytes  int
	maxFrames int
	shared    *budget       // of all connections
	wake      chan struct{} // tells the writer that something is there

	mu      sync.Mutex
	room    sync.Cond // on mu: there is room again, or err, or a call is muted
	filling frames
	writing frames // lent to the writer
	held    bool   // something is queued that the writer was not told of
	counted int64  // what of shared is held
	asking  *call  // whose large item waits for a part of shared; nil for none
	err     error  // once set, all is refused
}

// frames are messages, one behind the other in one buffer.
type frames struct {
	buf  []byte
	ends []int
}

// reset empties f, and lets go of a buffer with more room than keep bytes.
func (f *frames) reset(keep int) {
	if cap(f.buf) > keep {
		f.buf = nil
	}
	if cap(f.ends) > keep/64 {
		f.ends = nil
	}
	f.buf, f.ends = f.buf[:0], f.ends[:0]
}

// How many bytes a buffer may keep while frames come one after another, and
// while nothing is queued.
const (
	keepBusy = 64 << 10
	keepIdle = 4 << 10
)

func newOutbox(maxBytes, maxFrames int, shared *budget) *outbox {
	o := &outbox{maxBytes: maxBytes, maxFrames: maxFrames, shared: shared, wake: make(chan struct{}, 1)}
	o.room.L = &o.mu
	return o
}

// full tells that whoever has something to say must wait. Direct answers have
// a quarter more room: there is one at a time, and streams that fill the rest
// must not hold up the answer to their unsubscription.
func (o *outbox) full(answer bool) bool {
	bytes, frames := o.maxBytes, o.maxFrames
	if o.shared.full() {
		bytes = min(bytes, freeBytes)
	}
	if answer {
		bytes += bytes/4 + 1
		frames += frames/4 + 1
	}
	return len(o.filling.buf)+len(o.writing.buf) >= bytes ||
		len(o.filling.ends)+len(o.writing.ends) >= frames
}

// begin waits for room and takes the lock; end gives it back. It fails when
// the client is gone, or when it has unsubscribed from c; nil is for direct
// answers.
func (o *outbox) begin(c *call) error {
	o.mu.Lock()
	for {
		var err error
		switch {
		case o.err != nil:
			err = o.err
		case c != nil && c.muted:
			err = errMuted
		case !o.full(c == nil) && (c == nil || o.asking == nil || o.asking == c):
			return nil
		default:
			o.release()
			o.room.Wait()
			continue
		}
		o.mu.Unlock()
		return err
	}
}

// end adds the frame that buf, the filling buffer, now ends with. The writer is
// told at once, unless the call is quick: then hurry tells it.
func (o *outbox) end(buf []byte, quick bool) {
	if len(o.filling.ends) == 0 { // else the writer knows: it takes all at once
		o.held = true
	}
	o.filling.buf = buf
	o.filling.ends = append(o.filling.ends, len(buf))
	o.count(0)
	if !quick {
		o.release()
	}
	o.mu.Unlock()
}

// count brings what is counted up to date. So many bytes were granted.
func (o *outbox) count(granted int64) {
	over := max(0, int64(len(o.filling.buf)+len(o.writing.buf))-freeBytes)
	if change := over - o.counted - granted; change != 0 {
		o.shared.add(change)
	}
	o.counted = over
}

// holds tells that some of the budget is held.
func (o *outbox) holds() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counted > 0
}

// hurry tells the writer of what it was not told yet.
func (o *outbox) hurry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.release()
}

func (o *outbox) release() {
	if o.held {
		o.held = false
		o.prod()
	}
}

// prod wakes the writer.
func (o *outbox) prod() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// await returns when there is room for items, or the client is gone. It tells
// whether it had to wait.
func (o *outbox) await() (waited bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && o.full(false) {
		o.room.Wait()
		waited = true
	}
	return waited
}

// subscription queues the answer that the stream of c begins with.
func (o *outbox) subscription(c *call) error {
	if err := o.begin(c); err != nil {
		return err
	}
	o.end(wire.AppendSubscription(o.filling.buf, c.id, c.subscription), c.quick)
	return nil
}

// item queues an item of the stream of c. It waits while the outbox is full.
// An item that can't be written as JSON is [unencodable], and leaves the
// outbox as it was; so does one that is too large for now, [errBusy].
func (o *outbox) item(c *call, item *plugin.Item) error {
	if err := o.begin(c); err != nil {
		return err
	}
	most := o.maxBytes
	if o.shared.full() {
		most = freeBytes
	}
	buf, err := o.encode(o.filling.buf, c, item, most, 0)
	if err != nil {
		return o.tooLarge(c, item, err)
	}
	o.end(buf, c.quick)
	return nil
}

// tooLarge sees whether an item was not encoded for its size. It is called
// with the lock.
func (o *outbox) tooLarge(c *call, item *plugin.Item, err error) error {
	var large *codec.SizeError
	if errors.As(err, &large) {
		return o.largeItem(c, item, int64(large.Size))
	}
	o.mu.Unlock()
	return &unencodable{err}
}

// largeItem queues an item that is not encoded before its bytes are granted.
// It is called with the lock. The other streams of the client wait meanwhile,
// or many would be granted what only one can use.
func (o *outbox) largeItem(c *call, item *plugin.Item, size int64) error {
	o.asking = c
	o.mu.Unlock()
	granted := o.shared.acquire(size, c.ctx.Done())
	err := errBusy
	if granted {
		err = o.begin(c)
	}
	if err != nil { // and no lock
		o.mu.Lock()
		o.asking = nil
		o.room.Broadcast()
		o.mu.Unlock()
		if granted {
			o.shared.add(-size)
		}
		return err
	}
	o.asking = nil
	o.room.Broadcast()
	room := o.shared.buffer(len(o.filling.buf) + int(size) + 1<<10)
	buf, err := o.encode(append(room, o.filling.buf...), c, item, math.MaxInt, size)
	if err != nil {
		o.shared.add(-size)
		o.mu.Unlock()
		return &unencodable{err}
	}
	o.filling.buf = buf
	o.count(size)
	o.end(buf, c.quick)
	return nil
}

// encode appends the frame of an item. The content's own code may run in it,
// so a panic is an error. Where it ends the goroutine, what was granted and the
// lock, which it is called with, are given back.
func (o *outbox) encode(dst []byte, c *call, item *plugin.Item, most int, granted int64) (buf []byte, err error) {
	returned := false
	defer func() {
		if cause := recover(); cause != nil {
			buf, err = dst, fmt.Errorf("panic: %v", cause)
		} else if !returned {
			o.shared.add(-granted)
			o.mu.Unlock()
		}
	}()
	buf, err = wire.AppendNotificationWithin(dst, c.notify, c.subscription, item, most)
	returned = true
	return buf, err
}

// answer queues a frame that appendTo writes.
func (o *outbox) answer(appendTo func(dst []byte) []byte) error {
	if err := o.begin(nil); err != nil {
		return err
	}
	o.end(appendTo(o.filling.buf), false)
	return nil
}

// take lends the writer everything that is queued; nil tells that nothing is.
// The writer gives it back with give.
func (o *outbox) take() *frames {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.filling.ends) == 0 {
		return nil
	}
	o.held = false
	o.filling, o.writing = o.writing, o.filling
	return &o.writing
}

// give takes back what was lent to the writer.
func (o *outbox) give() {
	o.mu.Lock()
	defer o.mu.Unlock()
	keep := keepBusy
	o.shared.spare(o.writing.buf)
	if len(o.filling.ends) == 0 {
		keep = keepIdle
		o.filling.reset(keep)
	}
	o.writing.reset(keep)
	o.count(0)
	o.room.Broadcast()
}

// fail refuses everything from now on, and whoever waits. What is queued is
// dropped.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.filling = frames{}
	o.count(0)
	o.room.Broadcast()
}

// mute refuses whatever c has yet to say. Nothing of it is queued any more
// once this has returned.
func (o *outbox) mute(c *call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.muted = true
	o.room.Broadcast()
}
