// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"cmp"
	"math"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/plexus-go/plexus/transport/websocket"
)

// Limits bound what clients may use of a server. In this struct and the embedded
// one, zero is the default that the comment names, and a negative value is no
// limit.
//
// An address is an IPv4 address, or the first 64 bits of an IPv6 address, and
// behind a trusted proxy that of the proxy's client. Limits per address do not
// apply to the programs of this machine, which share one.
type Limits struct {
	// Limits are those of an open WebSocket.
	websocket.Limits

	// MaxConnections is how many WebSockets may be open, 10,000, and
	// MaxConnectionsPerAddress how many from one address, 1,000. One more is
	// answered with the status 503, or 429.
	MaxConnections           int
	MaxConnectionsPerAddress int
	// MaxRequestRate is how many requests one address may make per second,
	// 100, and MaxRequestBurst how many at once after a pause: those of 10
	// seconds. One more is answered with the status 429. A request with wrong
	// credentials counts as 20.
	MaxRequestRate  float64
	MaxRequestBurst int
	// MaxPending is how many connections may be pending, which are not
	// WebSockets yet; 1,000. One more closes the oldest of them.
	// MaxPendingPerAddress is how many of them may come from one address, 250;
	// one more is closed at once. It does not apply to trusted proxies.
	MaxPending           int
	MaxPendingPerAddress int
	// MaxHeaderBytes is the size of a request's header, 16 KiB. If it is
	// negative, the limit of net/http applies, 1 MiB.
	MaxHeaderBytes int
	// HeaderTimeout is the time for the TLS handshake, and then for the
	// request's header; 5 seconds each. HandshakeTimeout is the time from the
	// connection to the WebSocket, with authentication; 10 seconds.
	HeaderTimeout    time.Duration
	HandshakeTimeout time.Duration
}

// DefaultLimits returns the limits with their defaults. MaxRequestBurst is zero,
// so that it follows MaxRequestRate.
func DefaultLimits() Limits {
	l := Limits{}.withDefaults()
	l.MaxRequestBurst = 0
	l.Limits = websocket.DefaultLimits()
	return l
}

// never is a time that does not come.
const never = 100 * 365 * 24 * time.Hour

// withDefaults returns the limits as they apply: where there is none, as a number
// that is never reached. It leaves those of WebSockets alone.
func (l Limits) withDefaults() Limits {
	set(&l.MaxConnections, 10_000, math.MaxInt)
	set(&l.MaxConnectionsPerAddress, 1_000, math.MaxInt)
	set(&l.MaxRequestBurst, max(1, int(10*cmp.Or(l.MaxRequestRate, 100))), math.MaxInt)
	set(&l.MaxRequestRate, 100, float64(rate.Inf))
	set(&l.MaxPending, 1_000, math.MaxInt)
	set(&l.MaxPendingPerAddress, 250, math.MaxInt)
	set(&l.MaxHeaderBytes, 16<<10, http.DefaultMaxHeaderBytes)
	set(&l.HeaderTimeout, 5*time.Second, never)
	set(&l.HandshakeTimeout, 10*time.Second, never)
	return l
}

func set[T int | float64 | time.Duration](limit *T, value, unlimited T) {
	switch {
	case *limit == 0:
		*limit = value
	case *limit < 0:
		*limit = unlimited
	}
}
