// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"math"
	"time"

	"github.com/plexus-go/plexus/internal/wire"
)

// Limits bound what one connection may cost, and all of a server together. A
// field that is zero has its default, and one that is negative sets no limit.
type Limits struct {
	// MaxMessageBytes is the length of a message that is read; 10 MiB. A longer
	// one is answered with an error, one of more than 8 times that closes the
	// connection with code 1009.
	MaxMessageBytes int64
	// MessageTimeout is how long a message may take from its first byte, 30
	// seconds; it has a second more for every 16 KiB that have come. A client
	// that takes longer is closed with code 1008.
	MessageTimeout time.Duration
	// MaxDepth is how deep a message may be nested; 64. A deeper one is answered
	// with an error.
	MaxDepth int
	// MaxCallsPerSecond is how many calls a client may make in a second, and at
	// once after a rest; 100,000, but batches pass whole. One that makes more is
	// read from more slowly: nothing is refused.
	MaxCallsPerSecond int
	// MaxCalls is how many calls of one connection run at once; 256. Their
	// parameters together may be as long as one message. A further one waits
	// up to CallWait, 1 second, for one of them to end, and is then refused,
	// unless it never waits (plugin.Quick). A batch may have more: they run as
	// others of it end.
	MaxCalls int
	CallWait time.Duration
	// MaxQueueBytes and MaxQueueFrames bound the send queue of a client that
	// does not read; 256 KiB and 1,024, a quarter more for answers that are no
	// items. One item may be larger than that.
	MaxQueueBytes  int
	MaxQueueFrames int
	// StallTimeout is how long a client may take nothing of what it is being
	// sent, 5 seconds; six times as long once it was slow and took something.
	// Then it has half of StallTimeout to take the rest, and is closed with code
	// 1008. One that goes on taking something is not closed, however slow it is,
	// while there is memory for others.
	StallTimeout time.Duration
	// MaxMemoryBytes is about how much all connections together may hold; 64
	// MiB. Two thirds are for the send queues, a third for messages that are
	// being read; 16 KiB of either are free to every connection. An item or a
	// message for which nothing is left waits up to StallTimeout and is then
	// refused. While one waits, a client that holds memory and takes or sends
	// less than 64 KiB in a fifth of StallTimeout is closed with code 1008; one
	// that was slow and took something has the whole of it.
	MaxMemoryBytes int64
	// PingInterval is how often a client is pinged, 30 seconds, and
	// DeadTimeout how long it may stay silent, 70 seconds.
	PingInterval time.Duration
	DeadTimeout  time.Duration
	// IdleTimeout is how long a client may send nothing and wait for nothing
	// while it answers pings; then it is closed with code 1000. It is checked
	// with each ping. There is no limit by default, since hubs keep their
	// connections to other hubs open.
	IdleTimeout time.Duration
}

// never is a time that does not come.
const never = 100 * 365 * 24 * time.Hour

// DefaultLimits returns the limits with their defaults.
func DefaultLimits() Limits {
	l := Limits{}.withDefaults()
	l.IdleTimeout = -1
	return l
}

// withDefaults returns the limits as they apply. Where there is none, the
// number is so large that it is never reached, and can still be added to.
func (l Limits) withDefaults() Limits {
	set(&l.MaxMessageBytes, 10<<20, math.MaxInt64/16)
	set(&l.MessageTimeout, 30*time.Second, never)
	set(&l.MaxDepth, wire.MaxDepth, math.MaxInt)
	set(&l.MaxCallsPerSecond, 100_000, -1)
	set(&l.MaxCalls, 256, math.MaxInt)
	set(&l.CallWait, time.Second, never)
	set(&l.MaxQueueBytes, 256<<10, math.MaxInt/2)
	set(&l.MaxQueueFrames, 1024, math.MaxInt/2)
	set(&l.StallTimeout, 5*time.Second, never)
	set(&l.MaxMemoryBytes, 64<<20, math.MaxInt64)
	set(&l.PingInterval, 30*time.Second, never)
	set(&l.DeadTimeout, 70*time.Second, never)
	set(&l.IdleTimeout, never, never)
	return l
}

func set[T int | int64 | time.Duration](field *T, value, none T) {
	switch {
	case *field == 0:
		*field = value
	case *field < 0:
		*field = none
	}
}
