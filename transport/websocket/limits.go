// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import "time"

// Limits bound what one connection may cost. A field that is zero has its
// default.
type Limits struct {
	// MessageBytes is the longest message that is read; 10 MiB. A longer one
	// is answered with an error, one of more than 8 times that closes the
	// connection with code 1009.
	MessageBytes int64
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
	setDefault(&l.Calls, 256)
	setDefault(&l.CallWait, time.Second)
	setDefault(&l.QueueBytes, 256<<10)
	setDefault(&l.QueueFrames, 1024)
	setDefault(&l.StallTimeout, 5*time.Second)
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
