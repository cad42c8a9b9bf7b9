// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"net/http"
	"sync/atomic"
)

// Stats tell what has happened at the door of a server.
type Stats struct {
	// Connections is how many WebSockets are open, and Pending how many
	// connections that are none yet.
	Connections, Pending int
	// Accepted is how many requests for a WebSocket were let in since the start,
	// and Refused how many requests and connections were not.
	Accepted uint64
	Refused  Refused
}

// Refused tells how many were not let in, by the reason.
type Refused struct {
	// Malformed requests have two origins.
	Malformed uint64
	// Host and Origin: they were not among the allowed ones.
	Host, Origin uint64
	// Credentials: they were wrong, or missing where they are needed.
	Credentials uint64
	// Rate: too many requests from one address.
	Rate uint64
	// Address and Limit: too many connections from one address, and in all.
	Address, Limit uint64
	// Late: connections that did not become a WebSocket in time, or before too
	// many others came.
	Late uint64
}

// reason is why somebody is not let in.
type reason int

const (
	malformed reason = iota
	wrongHost
	wrongOrigin
	wrongCredentials
	overRate
	overAddress
	overLimit
	late
	reasons // how many there are
)

func (r reason) String() string {
	return [reasons]string{"malformed", "host", "origin", "credentials", "rate", "address", "limit", "late"}[r]
}

// status is what the caller is answered.
func (r reason) status() int {
	switch r {
	case malformed:
		return http.StatusBadRequest
	case wrongHost:
		return http.StatusMisdirectedRequest
	case wrongOrigin:
		return http.StatusForbidden
	case wrongCredentials:
		return http.StatusUnauthorized
	case overRate, overAddress:
		return http.StatusTooManyRequests
	default:
		return http.StatusServiceUnavailable
	}
}

// counters count what Stats tell.
type counters struct {
	accepted atomic.Uint64
	refused  [reasons]atomic.Uint64
}

// Stats returns the numbers of now. It costs little.
func (s *Server) Stats() Stats {
	refused := func(r reason) uint64 { return s.door.counters.refused[r].Load() }
	stats := Stats{
		Accepted: s.door.counters.accepted.Load(),
		Refused: Refused{
			Malformed:   refused(malformed),
			Host:        refused(wrongHost),
			Origin:      refused(wrongOrigin),
			Credentials: refused(wrongCredentials),
			Rate:        refused(overRate),
			Address:     refused(overAddress),
			Limit:       refused(overLimit),
			Late:        refused(late),
		},
	}
	stats.Connections, stats.Pending = s.door.room.count()
	return stats
}
