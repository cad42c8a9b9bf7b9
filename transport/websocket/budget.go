// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// budget bounds what all connections of a server hold together of one kind:
// what is queued to clients, or what is being read from them. What is small is
// only counted; whoever needs much asks first, and waits without it.
type budget struct {
	limit    int64
	patience time.Duration // how long one may wait
	// press is called while somebody waits, to have those who hold on to
	// something without need let go of it.
	press func()

	used    atomic.Int64
	waiting atomic.Int64
	refused atomic.Int64 // how many have waited in vain

	mu    sync.Mutex
	queue []*claim // first come, first served

	// spares are buffers of large items that were written: the next one need
	// not wait for the garbage collector to have its memory.
	spares sync.Pool
}

// leastSpare is the room of a buffer that is worth keeping.
const leastSpare = 1 << 20

// buffer is an empty one with room for so many bytes.
func (b *budget) buffer(room int) []byte {
	if buf, ok := b.spares.Get().(*[]byte); ok && cap(*buf) >= room {
		return (*buf)[:0]
	}
	return make([]byte, 0, room)
}

// spare takes a buffer that is no longer used.
func (b *budget) spare(buf []byte) {
	if cap(buf) >= leastSpare {
		kept := buf // which alone is allocated then
		b.spares.Put(&kept)
	}
}

// claim is what one waits for.
type claim struct {
	bytes   int64
	granted chan struct{} // closed once it is
}

// impatience is how many times the present holders are pressed in the time
// that one may wait.
const impatience = 5

func newBudget(limit int64, patience time.Duration, press func()) *budget {
	return &budget{limit: limit, patience: patience, press: press}
}

// full tells that nothing is left for those who could do with less.
func (b *budget) full() bool { return b.used.Load() >= b.limit }

// add counts bytes that are held without asking, or, below zero, that no
// longer are.
func (b *budget) add(bytes int64) {
	b.used.Add(bytes)
	if bytes < 0 && b.waiting.Load() > 0 {
		b.mu.Lock()
		b.grant()
		b.mu.Unlock()
	}
}

// acquire waits for its turn to hold so many bytes, and tells whether they are
// granted: not after the patience has run out, nor once stop is closed. What
// was granted is given back by add.
func (b *budget) acquire(bytes int64, stop <-chan struct{}) bool {
	mine := &claim{bytes, make(chan struct{})}
	b.mu.Lock()
	b.waiting.Add(1) // first, so that whoever gives back sees it
	b.queue = append(b.queue, mine)
	b.grant()
	b.mu.Unlock()
	select {
	case <-mine.granted:
		return true
	default:
	}
	over := time.NewTimer(b.patience)
	defer over.Stop()
	again := time.NewTicker(b.patience / impatience)
	defer again.Stop()
	for {
		select {
		case <-mine.granted:
			return true
		case <-again.C:
			if b.first(mine) {
				b.press()
			}
		case <-over.C:
			return b.withdraw(mine)
		case <-stop:
			return b.withdraw(mine)
		}
	}
}

// first tells whether a claim is the next to be granted. That one presses for
// all: it costs a look at every connection.
func (b *budget) first(c *claim) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) > 0 && b.queue[0] == c
}

// grant serves those who wait, in their order. One that asks for more than
// half of the budget has its turn when half is free: more may never be.
func (b *budget) grant() {
	for len(b.queue) > 0 {
		first := b.queue[0]
		if b.used.Load()+min(first.bytes, b.limit/2) > b.limit {
			return
		}
		b.used.Add(first.bytes)
		close(first.granted)
		b.leave(0)
	}
}

func (b *budget) leave(i int) {
	b.queue = slices.Delete(b.queue, i, i+1)
	b.waiting.Add(-1)
}

// withdraw gives up, unless it was granted just now.
func (b *budget) withdraw(c *claim) (granted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.queue, c)
	if i < 0 {
		return true
	}
	b.leave(i)
	b.refused.Add(1)
	b.grant() // the next one may want less
	return false
}
