// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"sync/atomic"

	"github.com/plexus-go/plexus/transport/websocket"
)

// Stats are the counters of a server. All but the first two count since its
// start.
type Stats struct {
	// Connections is how many WebSockets are open, and Pending how many
	// connections are not WebSockets yet.
	Connections, Pending int64
	// Accepted is how many requests for a WebSocket passed access control. The
	// Refused… count requests and connections that did not, by the reason.
	Accepted int64
	// RefusedMalformed: requests with two origins.
	RefusedMalformed int64
	// RefusedHost and RefusedOrigin: neither was among the allowed ones.
	RefusedHost, RefusedOrigin int64
	// RefusedCredentials: they were wrong, or missing where they are needed.
	RefusedCredentials int64
	// RefusedRate: too many requests from one address.
	RefusedRate int64
	// RefusedAddress and RefusedLimit: too many connections from one address,
	// and in all.
	RefusedAddress, RefusedLimit int64
	// RefusedLate: connections that did not become a WebSocket in time, or were
	// the oldest pending one when there were too many.
	RefusedLate int64
	// WebSocket are the counters of the connections that were accepted.
	WebSocket websocket.Counts
}

// counters are those of access control.
type counters struct {
	accepted atomic.Int64
	refused  [reasons]atomic.Int64
}

// Stats returns the present counters. It is cheap.
func (s *Server) Stats() Stats {
	c := &s.access.counters
	open, pending := s.access.connections.count()
	return Stats{
		Connections:        int64(open),
		Pending:            int64(pending),
		Accepted:           c.accepted.Load(),
		RefusedMalformed:   c.refused[malformed].Load(),
		RefusedHost:        c.refused[wrongHost].Load(),
		RefusedOrigin:      c.refused[wrongOrigin].Load(),
		RefusedCredentials: c.refused[wrongCredentials].Load(),
		RefusedRate:        c.refused[overRate].Load(),
		RefusedAddress:     c.refused[overAddress].Load(),
		RefusedLimit:       c.refused[overLimit].Load(),
		RefusedLate:        c.refused[late].Load(),
		WebSocket:          s.ws.Counts(),
	}
}
