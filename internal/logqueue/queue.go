// SPDX-License-Identifier: AGPL-3.0-only

package logqueue

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// retry is the time between two attempts at a pipe that is full and does not block.
const retry = 50 * time.Millisecond

// Queue is a writer that never waits and never fails. Make it with [New]. Several
// goroutines may write at the same time, each a whole line or several.
type Queue struct {
	w        io.Writer
	told     func(dropped int64) []byte
	maxBytes int
	dropped  atomic.Int64
	ended    chan struct{}

	mu     sync.Mutex
	change *sync.Cond // more is queued, or it is closed
	lines  []byte
	closed bool
}

// New makes a queue of up to maxBytes, and starts the goroutine that writes them
// to w, as many at once as there are. Once lines can be written after some were
// dropped, it also writes what told returns for their number; with nil, nothing.
func New(w io.Writer, maxBytes int, told func(dropped int64) []byte) *Queue {
	q := &Queue{w: w, told: told, maxBytes: maxBytes, ended: make(chan struct{})}
	q.change = sync.NewCond(&q.mu)
	go q.run()
	return q
}

// Write puts a text at the end of the queue, or drops it where there is no room.
// It returns len(text) and nil in any case.
func (q *Queue) Write(text []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.lines)+len(text) > q.maxBytes {
		q.drop(text)
	} else {
		q.lines = append(q.lines, text...)
		q.change.Signal()
	}
	return len(text), nil
}

// Dropped returns how many lines were dropped so far.
func (q *Queue) Dropped() int64 { return q.dropped.Load() }

func (q *Queue) drop(text []byte) { q.dropped.Add(int64(bytes.Count(text, []byte("\n")))) }

// Close waits until what is queued is written, but not longer than the time. It
// reports whether something is left: then a goroutine is, too, that waits for the
// reader. What is written to the queue from now on is dropped.
func (q *Queue) Close(atMost time.Duration) (left bool) {
	q.mu.Lock()
	q.closed = true
	q.change.Signal()
	q.mu.Unlock()
	select {
	case <-q.ended:
		return false
	case <-time.After(atMost):
		return true
	}
}

// run writes what is queued, until the queue is closed.
func (q *Queue) run() {
	defer close(q.ended)
	var batch []byte
	told, broken := int64(0), false // whether the last line has no end
	for {
		q.mu.Lock()
		for len(q.lines) == 0 && !q.closed {
			q.change.Wait()
		}
		batch, q.lines = q.lines, batch[:0]
		dropped := q.Dropped() // before and after what is in the batch, not later
		q.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		if broken {
			batch = append([]byte("\n"), batch...)
		}
		rest, err := q.write(batch)
		if broken = len(rest) < len(batch) && batch[len(batch)-len(rest)-1] != '\n'; err != nil {
			q.drop(rest)
			continue
		}
		if dropped > told && q.told != nil {
			if _, err := q.write(q.told(dropped - told)); err == nil {
				told = dropped
			}
		}
	}
}

// write writes a text, and returns what is left of it at an error.
func (q *Queue) write(text []byte) (rest []byte, err error) {
	for {
		n, err := q.w.Write(text)
		if text = text[n:]; !errors.Is(err, syscall.EAGAIN) {
			return text, err
		}
		time.Sleep(retry)
	}
}
