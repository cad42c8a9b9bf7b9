// SPDX-License-Identifier: AGPL-3.0-only

package transport

import "time"

// DoorLimits bound who is let in, and what a connection may cost before it is:
// what it may cost afterwards is bounded by [websocket.Limits]. A field that is
// zero has its default, and one that is negative bounds nothing.
//
// An address is an IPv4 address, or the first 64 bits of an IPv6 address, and
// behind a trusted proxy that of the proxy's client. What is bounded by address
// does not bind the programs of this machine, which share one.
type DoorLimits struct {
	// Connections is how many WebSockets are open at once, 10,000, and
	// ConnectionsPerAddress how many from one address, 1,000. A further one is
	// answered with the status 503, or 429.
	Connections           int
	ConnectionsPerAddress int
	// Rate is how many requests one address may make each second, 100, and
	// Burst how many at once after a while without any, 1,000. A further one
	// is answered with the status 429. A request with wrong credentials counts
	// as 20.
	Rate  float64
	Burst int
	// Pending is how many connections that are not WebSockets yet are kept,
	// 1,000: where there are more, the oldest of them is closed.
	// PendingPerAddress is how many of them may come from one address, 250: a
	// further one is closed at once. It does not bind trusted proxies.
	Pending           int
	PendingPerAddress int
	// HeaderBytes is the size of a request's header, 16 KiB. Without a bound
	// of ours it is 1 MiB.
	HeaderBytes int
	// HeaderTimeout is how long the TLS handshake may take, and then the
	// request's header; 5 seconds each. HandshakeTimeout is how long all may
	// take from the connection to the WebSocket, authentication too; 10
	// seconds.
	HeaderTimeout    time.Duration
	HandshakeTimeout time.Duration
}

// failureCost is how many requests one with wrong credentials counts as.
const failureCost = 20

// bounded returns the limits as they apply: where a field is zero, there is no
// bound.
func (l DoorLimits) bounded() DoorLimits {
	bound(&l.Connections, 10_000)
	bound(&l.ConnectionsPerAddress, 1_000)
	bound(&l.Rate, 100)
	bound(&l.Burst, 1_000)
	bound(&l.Pending, 1_000)
	bound(&l.PendingPerAddress, 250)
	bound(&l.HeaderBytes, 16<<10)
	bound(&l.HeaderTimeout, 5*time.Second)
	bound(&l.HandshakeTimeout, 10*time.Second)
	return l
}

func bound[T int | float64 | time.Duration](field *T, value T) {
	switch {
	case *field == 0:
		*field = value
	case *field < 0:
		*field = 0
	}
}
