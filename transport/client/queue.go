// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"sync"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// queue holds the items between the connection's reader and one range.
type queue struct {
	mu    sync.Mutex
	items []*plugin.Item
	first int   // of items, the next one to be taken
	bytes int   // of those that wait
	ended bool  // nothing more will come
	err   error // why, once ended; nil for a stream that was done

	ready chan struct{} // signals that there may be something to take
	space chan struct{} // signals that there may be space again; nil until it was full

	waited time.Duration // how long the reader has waited for space
}

// offer adds an item, unless the queue is full. An empty queue takes any.
func (q *queue) offer(i *plugin.Item, maxItems, maxBytes int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return true // and is dropped
	}
	size := len(i.Raw)
	if n := len(q.items) - q.first; n > 0 && (n >= maxItems || q.bytes+size > maxBytes) {
		if q.space == nil {
			q.space = make(chan struct{}, 1)
		}
		return false
	}
	if q.first > 0 && len(q.items) == cap(q.items) { // rather than grow
		q.items = q.items[:copy(q.items, q.items[q.first:])]
		q.first = 0
	}
	q.items = append(q.items, i)
	q.bytes += size
	signal(q.ready)
	return true
}

// end ends the queue; what waits in it can still be taken. Only the first
// call has an effect.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended, q.err = true, err
		signal(q.ready)
		signal(q.space)
	}
}

// discard ends the queue and empties it.
func (q *queue) discard() {
	q.end(nil)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items, q.first, q.bytes = nil, 0, 0
}

// take returns the next item; nil where there is none. Then ended reports
// whether none will come, and err why; else ready signals when to try again.
func (q *queue) take() (i *plugin.Item, ended bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.first == len(q.items) {
		return nil, q.ended, q.err
	}
	i = q.items[q.first]
	q.items[q.first] = nil
	q.bytes -= len(i.Raw)
	if q.first++; q.first == len(q.items) {
		q.items, q.first = q.items[:0], 0
		q.waited = 0
	}
	signal(q.space)
	return i, false, nil
}

// wait waits for space, and reports whether to offer again: not where nothing
// is taken within limit. Unless the stream is alone, other calls wait too: then
// the queue may hold them up for limit in total, until it is empty again.
func (q *queue) wait(limit time.Duration, alone bool) bool {
	if !alone {
		q.mu.Lock()
		limit -= q.waited
		q.mu.Unlock()
	}
	if limit <= 0 {
		return false
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	begun := time.Now()
	select {
	case <-q.space:
	case <-timer.C:
		return false
	}
	if !alone {
		q.mu.Lock()
		q.waited += time.Since(begun)
		q.mu.Unlock()
	}
	return true
}
