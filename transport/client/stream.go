// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"strconv"
	"sync/atomic"
)

// stream is one call on one connection.
type stream struct {
	queue
	method string // as the caller named it
	target string // the top-level method that it was sent to
	state  atomic.Int32

	id   int64 // of the request
	size int   // of the request in bytes

	// By the lock of the connection.
	subscription []byte // JSON text; nil before the answer
	left         bool   // nobody takes its items any more
}

// The states of a stream's request. It leaves unsent once, for either of the
// others.
const (
	unsent int32 = iota
	sent
	withdrawn
)

func newStream(method, target string) *stream {
	return &stream{queue: newQueue(), method: method, target: target}
}

// send tells whether the request is still to be sent, and notes that it is.
func (s *stream) send() bool { return s.state.CompareAndSwap(unsent, sent) }

// wasSent tells whether the hub may have got the request.
func (s *stream) wasSent() bool { return s.state.Load() == sent }

// integer reads the digits of an integer.
func integer(text []byte) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil
}
