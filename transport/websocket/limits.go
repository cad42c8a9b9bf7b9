// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"time"

	"github.com/plexus-go/plexus/internal/wire"
)

// Limits bound what one connection may cost, and all of a server together. A
// field that is zero has its default.
type Limits struct {
	// MessageBytes is the longest message that is read; 10 MiB. A longer one
	// is answered with an error, one of more than 8 times that closes the
	// connection with code 1009.
	MessageBytes int64
	// MessageTimeout is how long a message may take from its first byte, 30
	// seconds; it has a second more for every 16 KiB that have come. A client
	// that takes longer is closed with code 1008.
	MessageTimeout time.Duration
	// Depth is how deep a message may be nested; 64. A deeper one is answered
	// with an error.
	Depth int
	// CallsPerSecond is how many calls a client may make in a second, and at
	// once after a rest; 100,000, but batches pass whole. One that makes more is
	// read from more slowly: nothing is refused. Below 0 there is no limit.
	CallsPerSecond int
	// Calls is how many calls of one connection run at once; 256. Their
	// parameters together may be as long as one message. A further one waits
	// CallWait for its turn and is then refused.
	Calls int
	// CallWait is 1 second.
	CallWait time.Duration
	// QueueBytes and QueueFrames bound what is queued to a client that does
	// not read; 256 KiB and 1,024, a quarter more for answers that are no
	// items. One item may be larger than that.
	QueueBytes  int
	QueueFrames int
	// StallTimeout is how long a client may take for the next 64 KiB, or not
	// read at all; 5 seconds. Then it has half as long again to take the rest
	// of what it is being sent, and is closed with code 1008.
	StallTimeout time.Duration
	// MemoryBytes is about how much all connections together may hold; 64 MiB.
	// Two thirds are for what is queued to clients, a third for messages that
	// are being read; 16 KiB of either are free to every connection. An item
	// or a message for which nothing is left waits StallTimeout for its turn
	// and is then refused. While one waits, a client that holds some and lets
	// a fifth of StallTimeout pass without 64 KiB taken or sent is closed with
	// code 1008.
	MemoryBytes int64
	// PingInterval is how often a client is pinged, 30 seconds, and
	// DeadTimeout how long it may stay silent, 70 seconds.
	PingInterval time.Duration
	DeadTimeout  time.Duration
	// IdleTimeout is how long a client may stay that is there, but sends
	// nothing and waits for nothing; then it is closed with code 1000. It is
	// looked at with each ping. Zero is for ever, since hubs keep connections
	// for what may come.
	IdleTimeout time.Duration
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.MessageBytes, 10<<20)
	setDefault(&l.MessageTimeout, 30*time.Second)
	setDefault(&l.Depth, wire.MaxDepth)
	setDefault(&l.CallsPerSecond, 100_000)
	setDefault(&l.Calls, 256)
	setDefault(&l.CallWait, time.Second)
	setDefault(&l.QueueBytes, 256<<10)
	setDefault(&l.QueueFrames, 1024)
	setDefault(&l.StallTimeout, 5*time.Second)
	setDefault(&l.MemoryBytes, 64<<20)
	setDefault(&l.PingInterval, 30*time.Second)
	setDefault(&l.DeadTimeout, 70*time.Second)
	return l
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
