// SPDX-License-Identifier: AGPL-3.0-only

package transport

import "github.com/plexus-go/plexus/transport/websocket"

// Stats are the counters of a server. All but the first two count since its
// start.
type Stats struct {
	// Connections is how many WebSockets are open, and Pending how many
	// connections are not WebSockets yet.
	Connections, Pending int64
	// Accepted is how many requests for a WebSocket passed access control.
	Accepted int64
	// Refused is how many requests and connections were rejected, by the reason.
	// All of these are there:
	//
	//	malformed    a request with two origins
	//	host         its Host is not an allowed one
	//	origin       its page is not of an allowed origin
	//	credentials  they are wrong, or missing where they are needed, or a proxy
	//	             that is not trusted has passed it on
	//	rate         too many requests from one address
	//	address      too many connections from one address
	//	limit        too many connections in all
	//	late         a connection did not become a WebSocket in time, or was the
	//	             oldest pending one when there were too many
	Refused map[string]int64
	// WebSocket are the counters of the connections that were accepted.
	WebSocket websocket.Counts
}

// Stats returns the present counters. It is cheap.
func (s *Server) Stats() Stats {
	l := s.access.connections
	stats := Stats{Refused: make(map[string]int64, reasons), WebSocket: s.ws.Counts()}
	for why := malformed; why < reasons; why++ {
		stats.Refused[answers[why].name] += l.refused[why].Load()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	stats.Connections, stats.Pending, stats.Accepted = int64(l.opened), int64(l.pending.Len()), l.accepted
	return stats
}
