// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// connectionLimiter counts connections and enforces their limits. A connection
// is pending when it is accepted, and open when access control admits its
// upgrade. Pending connections do not count against the limits of open ones.
type connectionLimiter struct {
	limits  Limits
	proxies []netip.Prefix        // may have any number of pending connections
	refused [reasons]atomic.Int64 // requests and connections

	mu          sync.Mutex
	pending     list.List // of *conn, the oldest first
	pendingFrom map[netip.Addr]int
	opened      int
	openedFrom  map[netip.Addr]int
	accepted    int64 // how many were ever opened
}

func newConnectionLimiter(limits Limits, proxies []netip.Prefix) *connectionLimiter {
	return &connectionLimiter{limits: limits, proxies: proxies, pendingFrom: map[netip.Addr]int{}, openedFrom: map[netip.Addr]int{}}
}

// conn is a connection that is counted until it is closed.
type conn struct {
	net.Conn
	limiter *connectionLimiter
	peer    netip.Addr
	recheck func() error // why the caller may not stay; nil for one without credentials

	// Guarded by the limiter's lock.
	timer   *time.Timer
	pending *list.Element // nil once it is open or dropped
	open    bool
	from    netip.Addr // the client's address, while it is open
}

// NetConn returns the connection beneath.
func (c *conn) NetConn() net.Conn { return c.Conn }

// CloseWrite lets the HTTP server send its last answer, if the connection
// beneath can.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection, which no longer counts.
func (c *conn) Close() error {
	c.limiter.remove(c)
	return c.Conn.Close()
}

// listener accepts connections within the limits.
type listener struct {
	net.Listener
	limiter *connectionLimiter
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.limiter.add(accepted); c != nil {
			return c, nil
		}
	}
}

// add counts an accepted connection as pending, or closes it and returns nil.
func (l *connectionLimiter) add(accepted net.Conn) *conn {
	address := addressOf(accepted.RemoteAddr().String())
	c := &conn{Conn: accepted, limiter: l, peer: networkOf(address)}
	limited := address.IsValid() && !address.IsLoopback() && !within(address, l.proxies)
	l.mu.Lock()
	defer l.mu.Unlock()
	if limited && l.pendingFrom[c.peer] >= l.limits.MaxPendingPerAddress {
		l.refused[overAddress].Add(1)
		accepted.Close()
		return nil
	}
	if l.pending.Len() >= l.limits.MaxPending {
		l.drop(l.pending.Front().Value.(*conn))
	}
	c.pending = l.pending.PushBack(c)
	l.pendingFrom[c.peer]++
	c.timer = time.AfterFunc(l.limits.HandshakeTimeout, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if c.pending != nil {
			l.drop(c)
		}
	})
	return c
}

// drop closes a pending connection. The caller holds the lock.
func (l *connectionLimiter) drop(c *conn) {
	l.endPending(c)
	l.refused[late].Add(1)
	c.Conn.Close() // the HTTP server notices, and closes it again
}

// endPending stops counting a connection as pending. The caller holds the lock.
func (l *connectionLimiter) endPending(c *conn) {
	l.pending.Remove(c.pending)
	c.pending = nil
	decrease(l.pendingFrom, c.peer)
	c.timer.Stop()
}

// full returns which limit keeps one more connection from being opened by a
// client of that address, if any does. This machine is the address that is not
// valid.
func (l *connectionLimiter) full(from netip.Addr) reason {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fullLocked(from)
}

func (l *connectionLimiter) fullLocked(from netip.Addr) reason {
	switch {
	case l.opened >= l.limits.MaxConnections:
		return overLimit
	case from.IsValid() && l.openedFrom[from] >= l.limits.MaxConnectionsPerAddress:
		return overAddress
	}
	return none
}

// open makes a pending connection an open one of a client's address, or returns
// the reason why it can't.
func (l *connectionLimiter) open(c *conn, from netip.Addr) reason {
	l.mu.Lock()
	defer l.mu.Unlock()
	if why := l.fullLocked(from); why != none {
		return why
	}
	if c.pending == nil { // it was dropped
		return late
	}
	l.endPending(c)
	c.open, c.from = true, from
	l.opened++
	l.accepted++
	l.openedFrom[from]++
	return none
}

// remove stops counting a connection. It may be called again.
func (l *connectionLimiter) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.pending != nil {
		l.endPending(c)
	}
	if c.open {
		c.open = false
		l.opened--
		decrease(l.openedFrom, c.from)
	}
}

// decrease keeps no key that counts nothing.
func decrease(counts map[netip.Addr]int, key netip.Addr) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

type connKey struct{}

// withConn puts the connection of a request into its context.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, connUnder(c))
}

// connUnder returns c, or what is under it, if that is TLS.
func connUnder(c net.Conn) *conn {
	for {
		if ours, ok := c.(*conn); ok {
			return ours
		}
		c = c.(interface{ NetConn() net.Conn }).NetConn()
	}
}

func connOf(r *http.Request) *conn { return r.Context().Value(connKey{}).(*conn) }
