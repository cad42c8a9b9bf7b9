// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// freeBytes is what one connection may hold of either kind without asking the
// memory limiter.
const freeBytes = 16 << 10

// hurries is how many times, during one wait for memory, those who hold some are
// hurried.
const hurries = 5

// memoryLimiter limits what all connections of a server hold together of one
// kind: what is in send queues, or messages that are being read. Small amounts
// are only counted. A large one must be granted first.
type memoryLimiter struct {
	limit int64
	wait  time.Duration // how long a claim may wait
	// hurry is called while somebody waits, to close those who hold memory and
	// neither take nor send anything.
	hurry func()

	used    atomic.Int64
	refused atomic.Int64 // how many claims were not granted

	mu    sync.Mutex
	queue []*claim // first come, first served
}

// claim is memory that somebody waits for.
type claim struct {
	bytes   int64
	granted chan struct{} // closed once it is
}

// exhausted reports whether the limit is used up: queues are short then.
func (m *memoryLimiter) exhausted() bool { return m.used.Load() >= m.limit }

// add counts bytes that are held without asking, or, below zero, that are no
// longer held.
func (m *memoryLimiter) add(bytes int64) {
	m.used.Add(bytes)
	if bytes < 0 {
		m.mu.Lock()
		m.grant()
		m.mu.Unlock()
	}
}

// acquire waits for memory and reports whether it was granted: not after the
// time is over, nor once stop is closed. add gives it back.
func (m *memoryLimiter) acquire(bytes int64, stop <-chan struct{}) bool {
	mine := &claim{bytes, make(chan struct{})}
	m.mu.Lock()
	m.queue = append(m.queue, mine)
	m.grant()
	m.mu.Unlock()
	select {
	case <-mine.granted:
		return true
	default:
	}
	timeout := time.NewTimer(m.wait)
	defer timeout.Stop()
	hurry := time.NewTicker(max(m.wait/hurries, 1))
	defer hurry.Stop()
	for {
		select {
		case <-mine.granted:
			return true
		case <-hurry.C:
			if m.isFirst(mine) { // for all of them: it goes through every connection
				m.hurry()
			}
		case <-timeout.C:
			return m.withdraw(mine)
		case <-stop:
			return m.withdraw(mine)
		}
	}
}

func (m *memoryLimiter) isFirst(c *claim) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) > 0 && m.queue[0] == c
}

// grant serves those who wait, in their order. A claim of more than half of the
// limit is granted when half is free: more may never be.
func (m *memoryLimiter) grant() {
	for len(m.queue) > 0 {
		first := m.queue[0]
		if m.used.Load()+min(first.bytes, m.limit/2) > m.limit {
			return
		}
		m.used.Add(first.bytes)
		close(first.granted)
		m.queue = slices.Delete(m.queue, 0, 1)
	}
}

// withdraw gives up, unless the claim was granted just now.
func (m *memoryLimiter) withdraw(c *claim) (granted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.queue, c)
	if i < 0 {
		return true
	}
	m.queue = slices.Delete(m.queue, i, i+1)
	m.refused.Add(1)
	m.grant() // the next one may want less
	return false
}
