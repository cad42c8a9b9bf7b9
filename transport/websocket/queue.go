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
	// errUnsubscribed says that the client has unsubscribed from the call.
	errUnsubscribed = errors.New("the client unsubscribed")
	// errNotJSON says that an item can't be written as JSON.
	errNotJSON = errors.New("the result can't be written as JSON")
	// errBusy says that there was no memory for an item.
	errBusy = errors.New("too much is queued to slow clients")
)

// sendQueue holds the frames that wait to be written to one client. A frame is
// encoded straight into it, and only when there is room: a call that waits has
// no encoded item. So the queue holds at most its bounds and one item more; and
// an item that is larger than the bound gets memory from the limiter before it
// is encoded.
type sendQueue struct {
	limits *Limits
	memory *memoryLimiter
	wake   signal // the writer

	mu       sync.Mutex
	room     sync.Cond // on mu: there may be room, or no reason to wait any more
	filling  frames
	writing  frames // the writer has them
	counted  int64  // what of memory is held
	claiming *call  // whose large item waits for memory; nil for none
	writes   int    // how often what was taken was given back
	closed   bool
}

// frames are messages, one behind the other in one buffer, and what pings are
// answered with, which comes before.
type frames struct {
	buf   []byte
	ends  []int
	pongs []string
}

// maxPongs is how many pings may wait for their answer before no more is read.
const maxPongs = 64

// reset empties f. A buffer of more than keep bytes is dropped.
func (f *frames) reset(keep int) {
	if cap(f.buf) > keep {
		f.buf = nil
	}
	if cap(f.ends) > keep/64 {
		f.ends = nil
	}
	f.buf, f.ends, f.pongs = f.buf[:0], f.ends[:0], nil
}

// How many bytes a buffer may keep while frames come one after another, and
// while nothing is queued.
const (
	keepBusy = 64 << 10
	keepIdle = 4 << 10
)

func newSendQueue(limits *Limits, memory *memoryLimiter) *sendQueue {
	q := &sendQueue{limits: limits, memory: memory, wake: make(signal, 1)}
	q.room.L = &q.mu
	return q
}

// byteLimit is how many bytes the queue may hold now.
func (q *sendQueue) byteLimit() int {
	if q.memory.exhausted() {
		return min(q.limits.MaxQueueBytes, freeBytes)
	}
	return q.limits.MaxQueueBytes
}

// full reports whether the next frame must wait. Answers have a quarter more
// room: there is one at a time, and streams that fill the rest must not block
// the answer to their unsubscription.
func (q *sendQueue) full(answer bool) bool {
	bytes, frames := q.byteLimit(), q.limits.MaxQueueFrames
	if answer {
		bytes += bytes/4 + 1
		frames += frames/4 + 1
	}
	return len(q.filling.buf)+len(q.writing.buf) >= bytes ||
		len(q.filling.ends)+len(q.writing.ends) >= frames
}

// waitForRoom is called with the lock. It fails when the client is gone, or has
// unsubscribed from c; nil is for answers.
func (q *sendQueue) waitForRoom(c *call) error {
	for {
		switch {
		case q.closed:
			return errLeft
		case c != nil && c.muted:
			return errUnsubscribed
		case !q.full(c == nil) && (c == nil || q.claiming == nil || q.claiming == c):
			return nil
		}
		q.wake.set()
		q.room.Wait()
	}
}

// add adds the frame that buf, the filling buffer, now ends with. It wakes the
// writer, unless the caller will do that, or writes itself.
func (q *sendQueue) add(buf []byte, later bool) {
	q.filling.buf = buf
	q.filling.ends = append(q.filling.ends, len(buf))
	q.count()
	if !later {
		q.wake.set()
	}
}

// count brings what the memory limiter knows up to date.
func (q *sendQueue) count() {
	over := max(0, int64(len(q.filling.buf)+len(q.writing.buf))-freeBytes)
	if over != q.counted {
		q.memory.add(over - q.counted)
		q.counted = over
	}
}

// holdsMemory reports whether the queue holds more than every one may.
func (q *sendQueue) holdsMemory() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counted > 0
}

// await returns when there is room for items, or the client is gone. It
// reports whether it had to wait.
func (q *sendQueue) await() (waited bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && q.full(false) {
		q.wake.set()
		q.room.Wait()
		waited = true
	}
	return waited
}

// flushed returns when what is queued is written, or nobody wants more of c.
func (q *sendQueue) flushed(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	until := q.writes
	for _, f := range []*frames{&q.filling, &q.writing} {
		if len(f.ends) > 0 {
			until++
		}
	}
	for q.writes < until && !q.closed && !c.muted {
		q.wake.set()
		q.room.Wait()
	}
}

// answer queues a frame that answers a request; "" is none. Only a client that
// is gone does not get it. later is as for add.
func (q *sendQueue) answer(text []byte, later bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(text) > 0 && q.waitForRoom(nil) == nil {
		q.add(append(q.filling.buf, text...), later)
	}
}

// pong queues the answer to a ping.
func (q *sendQueue) pong(data string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && len(q.filling.pongs) >= maxPongs {
		q.room.Wait()
	}
	if !q.closed {
		q.filling.pongs = append(q.filling.pongs, data)
		q.wake.set()
	}
	return nil
}

// item queues an item of the stream of c. It waits while the queue is full. An
// item that was not queued leaves it as it was: the error is errNotJSON,
// errBusy, or that nobody wants the item.
func (q *sendQueue) item(c *call, item *plugin.Item) error {
	q.mu.Lock()
	defer q.mu.Unlock() // the content may have code of its own, which ends the goroutine
	if err := q.waitForRoom(c); err != nil {
		return err
	}
	err := q.encode(q.filling.buf, c, item, q.byteLimit())
	if large, ok := errors.AsType[*codec.SizeError](err); ok {
		return q.largeItem(c, item, large.Size)
	}
	return err
}

// largeItem queues an item that is not encoded before its bytes are granted.
// The other streams of the client wait meanwhile, or many would be granted what
// only one can use.
func (q *sendQueue) largeItem(c *call, item *plugin.Item, size int) error {
	q.claiming = c
	defer func() {
		q.claiming = nil
		q.room.Broadcast()
	}()
	q.mu.Unlock()
	granted := q.memory.acquire(int64(size), c.ctx.Done())
	q.mu.Lock()
	if !granted {
		return errBusy
	}
	if err := q.waitForRoom(c); err != nil {
		q.memory.add(-int64(size))
		return err
	}
	q.counted += int64(size)
	defer q.count()
	buf := append(largeBuffer(len(q.filling.buf)+size+1<<10), q.filling.buf...)
	return q.encode(buf, c, item, math.MaxInt)
}

// encode adds the frame of an item, behind dst. A panic of the content's own
// code is an error.
func (q *sendQueue) encode(dst []byte, c *call, item *plugin.Item, maxBytes int) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: panic: %v", errNotJSON, cause)
		}
	}()
	buf, err := wire.AppendItem(dst, c.notify, c.subscription, item, maxBytes)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotJSON, err)
	}
	q.add(buf, c.quick)
	return nil
}

// take returns everything that is queued, for the writer; nil for nothing. The
// writer gives it back.
func (q *sendQueue) take() *frames {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.filling.ends) == 0 && len(q.filling.pongs) == 0 {
		return nil
	}
	q.filling, q.writing = q.writing, q.filling
	return &q.writing
}

// giveBack says that what was taken is written.
func (q *sendQueue) giveBack() {
	q.mu.Lock()
	defer q.mu.Unlock()
	keep := keepBusy
	keepLargeBuffer(q.writing.buf)
	if len(q.filling.ends) == 0 && len(q.filling.pongs) == 0 {
		keep = keepIdle
		q.filling.reset(keep)
	}
	q.writing.reset(keep)
	q.writes++
	q.count()
	q.room.Broadcast()
}

// close refuses everything from now on, and whoever waits. What is queued is
// dropped.
func (q *sendQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filling = frames{}
	q.count()
	q.room.Broadcast()
}

// mute refuses whatever c has yet to say. Nothing of it is queued any more once
// this has returned.
func (q *sendQueue) mute(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.muted = true
	q.room.Broadcast()
}

// largeBuffers are buffers of large items that were written: the next item
// need not wait for the garbage collector to have its memory. Without them, 100
// clients that ask for 29 MB each make the process larger by a quarter.
var largeBuffers sync.Pool

// minLargeBuffer is the size of a buffer that is worth keeping.
const minLargeBuffer = 1 << 20

func largeBuffer(size int) []byte {
	if buf, ok := largeBuffers.Get().(*[]byte); ok && cap(*buf) >= size {
		return (*buf)[:0]
	}
	return make([]byte, 0, size)
}

func keepLargeBuffer(buf []byte) {
	if cap(buf) >= minLargeBuffer {
		kept := buf // which alone is allocated then
		largeBuffers.Put(&kept)
	}
}
