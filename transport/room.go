// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

// room is what there is for connections. One that is accepted is pending until
// it is let in, and pending ones take no room from the others.
type room struct {
	limits   DoorLimits
	counters *counters
	// unbound tells which addresses many may connect from: proxies.
	unbound func(netip.Addr) bool

	mu        sync.Mutex
	pending   list.List // of *conn, the oldest first
	pendingBy map[netip.Addr]int
	open      int
	openBy    map[netip.Addr]int
}

func newRoom(limits DoorLimits, counters *counters, unbound func(netip.Addr) bool) *room {
	return &room{
		limits:    limits,
		counters:  counters,
		unbound:   unbound,
		pendingBy: map[netip.Addr]int{},
		openBy:    map[netip.Addr]int{},
	}
}

// conn is a connection that takes room until it is closed.
type conn struct {
	net.Conn
	room *room
	peer netip.Addr

	// By the lock of the room.
	timer *time.Timer
	place *list.Element // while it is pending
	in    bool          // it was let in,
	from  netip.Addr    // for this address
}

// NetConn returns the connection beneath.
func (c *conn) NetConn() net.Conn { return c.Conn }

// CloseWrite lets the HTTP server say its last, as far as the connection
// beneath can.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection and gives its room back.
func (c *conn) Close() error {
	c.room.leave(c)
	return c.Conn.Close()
}

// listener hands out the connections for which there is room.
type listener struct {
	net.Listener
	room *room
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.room.enter(accepted); c != nil {
			return c, nil
		}
	}
}

// enter takes an accepted connection, or closes it and returns nil.
func (r *room) enter(accepted net.Conn) *conn {
	address := addressOf(accepted.RemoteAddr().String())
	c := &conn{Conn: accepted, room: r, peer: counted(address)}
	bound := address.IsValid() && !address.IsLoopback() && !r.unbound(address)
	r.mu.Lock()
	defer r.mu.Unlock()
	if most := r.limits.PendingPerAddress; bound && most > 0 && r.pendingBy[c.peer] >= most {
		r.counters.refused[overAddress].Add(1)
		accepted.Close()
		return nil
	}
	if most := r.limits.Pending; most > 0 && r.pending.Len() >= most {
		r.drop(r.pending.Front().Value.(*conn))
	}
	c.place = r.pending.PushBack(c)
	r.pendingBy[c.peer]++
	if within := r.limits.HandshakeTimeout; within > 0 {
		c.timer = time.AfterFunc(within, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if c.place != nil {
				r.drop(c)
			}
		})
	}
	return c
}

// drop closes a pending connection, by the lock.
func (r *room) drop(c *conn) {
	r.forget(c)
	r.counters.refused[late].Add(1)
	c.Conn.Close() // whoever serves it notices, and closes it again
}

// forget makes a pending connection no longer so, by the lock.
func (r *room) forget(c *conn) {
	r.pending.Remove(c.place)
	c.place = nil
	decrease(r.pendingBy, c.peer)
	if c.timer != nil {
		c.timer.Stop()
	}
}

// full tells for which reason one more from the address would not be let in.
// This machine is the address that is not valid.
func (r *room) full(from netip.Addr) (reason, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fullLocked(from)
}

func (r *room) fullLocked(from netip.Addr) (reason, bool) {
	switch {
	case r.limits.Connections > 0 && r.open >= r.limits.Connections:
		return overLimit, true
	case from.IsValid() && r.limits.ConnectionsPerAddress > 0 && r.openBy[from] >= r.limits.ConnectionsPerAddress:
		return overAddress, true
	default:
		return 0, false
	}
}

// admit lets a pending connection in, for an address, or tells the reason why
// not.
func (r *room) admit(c *conn, from netip.Addr) (reason, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why, full := r.fullLocked(from); full {
		return why, false
	}
	if c.place == nil { // it was dropped
		return late, false
	}
	r.forget(c)
	c.in, c.from = true, from
	r.open++
	r.openBy[from]++
	return 0, true
}

// leave gives the room of a connection back. It may be called again.
func (r *room) leave(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.place != nil {
		r.forget(c)
	}
	if c.in {
		c.in = false
		r.open--
		decrease(r.openBy, c.from)
	}
}

func (r *room) count() (open, pending int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.pending.Len()
}

// decrease keeps no key that counts nothing.
func decrease(counts map[netip.Addr]int, key netip.Addr) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}
