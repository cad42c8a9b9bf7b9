// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"sync"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// queue is what waits between the connection's reader and one range.
type queue struct {
	mu    sync.Mutex
	items []plugin.Item
	first int   // of items, the next one to be taken
	bytes int   // of those that wait
	ended bool  // nothing more will come
	err   error // why, once ended; nil for a stream that was done

	ready chan struct{} // told when there may be something to take
	room  chan struct{} // told when there may be room again

	waited time.Duration // how long the reader has waited for room
}

func newQueue() queue {
	return queue{ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// offer adds an item, unless the queue is full: one is always taken.
func (q *queue) offer(i *plugin.Item, mostItems, mostBytes int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return true // nobody wants it
	}
	size := len(i.Raw)
	if n := len(q.items) - q.first; n > 0 && (n >= mostItems || q.bytes+size > mostBytes) {
		return false
	}
	if q.first > 0 && len(q.items) == cap(q.items) { // rather than grow
		q.items = q.items[:copy(q.items, q.items[q.first:])]
		q.first = 0
	}
	q.items = append(q.items, *i)
	q.bytes += size
	tell(q.ready)
	return true
}

// end ends the queue; what waits in it can still be taken. Only the first
// call has an effect.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended, q.err = true, err
		tell(q.ready)
		tell(q.room)
	}
}

// discard ends the queue and empties it.
func (q *queue) discard() {
	q.end(nil)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items, q.first, q.bytes = nil, 0, 0
}

// take returns the next item. Without one, ended tells that none will come,
// and err why; else ready tells when to try again.
func (q *queue) take() (i plugin.Item, ok, ended bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.first == len(q.items) {
		return plugin.Item{}, false, q.ended, q.err
	}
	i = q.items[q.first]
	q.items[q.first] = plugin.Item{}
	q.bytes -= len(i.Raw)
	if q.first++; q.first == len(q.items) {
		q.items, q.first = q.items[:0], 0
		q.waited = 0
	}
	tell(q.room)
	return i, true, false, nil
}

// wait waits for room, and tells whether to offer again. It does not where
// nothing is taken for most, or stopped is closed. Where the reader is not
// alone in waiting, since other calls wait for it, the queue may hold it up
// for most in all until it is empty again.
func (q *queue) wait(most time.Duration, alone bool, stopped <-chan struct{}) bool {
	if !alone {
		q.mu.Lock()
		most -= q.waited
		q.mu.Unlock()
	}
	if most <= 0 {
		return false
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	begun := time.Now()
	select {
	case <-q.room:
	case <-timer.C:
		return false
	case <-stopped:
		return false
	}
	if !alone {
		q.mu.Lock()
		q.waited += time.Since(begun)
		q.mu.Unlock()
	}
	return true
}

// tell wakes whoever waits on c, now or the next time.
func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
