// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// peer is a connection from a made-up address.
type peer struct {
	net.Conn
	remote net.Addr
}

func (p peer) RemoteAddr() net.Addr { return p.remote }

// newPeer connects from an address. closed is closed when the server closes the
// connection.
func newPeer(from string) (conn net.Conn, closed <-chan struct{}) {
	ours, theirs := net.Pipe()
	gone := make(chan struct{})
	go func() { // ends with the connection
		defer close(gone)
		_, _ = io.Copy(io.Discard, theirs)
	}()
	return peer{ours, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}, gone
}

// queue is a listener that accepts these.
type queue struct {
	net.Listener
	peers <-chan net.Conn
}

func (q queue) Accept() (net.Conn, error) {
	if c, ok := <-q.peers; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func newTestLimiter(limits Limits) *connectionLimiter {
	return newConnectionLimiter(limits.withDefaults(), prefixes("10.0.0.1/32"))
}

func (l *connectionLimiter) count() (open, pending int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened, l.pending.Len()
}

// empty checks that the limiter counts nothing any more.
func (l *connectionLimiter) empty(t *testing.T) {
	t.Helper()
	if open, pending := l.count(); open != 0 || pending != 0 || len(l.openedFrom) != 0 || len(l.pendingFrom) != 0 {
		t.Errorf("%d open, %d pending; by address %v, %v", open, pending, l.openedFrom, l.pendingFrom)
	}
}

func TestTheOldestPendingConnectionIsDropped(t *testing.T) {
	l := newTestLimiter(Limits{MaxPending: 3})
	var all []*conn
	var closed []<-chan struct{}
	add := func(n int) {
		c, gone := newPeer(fmt.Sprintf("192.0.2.%d:1", n))
		all, closed = append(all, l.add(c)), append(closed, gone)
	}
	for n := range 3 {
		add(n)
	}
	if why := l.open(all[0], all[0].peer); why != none {
		t.Fatal(why)
	}
	add(3) // within the limit, since one is open
	add(4)
	<-closed[1]
	add(5)
	<-closed[2]
	if why := l.open(all[2], all[2].peer); why != late {
		t.Errorf("a dropped one is opened, or refused for %v", why)
	}
	if open, pending := l.count(); open != 1 || pending != 3 {
		t.Errorf("%d open, %d pending", open, pending)
	}
	if n := l.refused[late].Load(); n != 2 {
		t.Errorf("%d were late, want 2", n)
	}
	for i, c := range all {
		c.Close()
		c.Close()
		<-closed[i]
	}
	l.empty(t)
}

func TestPendingConnectionsOfAnAddressAreLimited(t *testing.T) {
	l := newTestLimiter(Limits{MaxPending: 100, MaxPendingPerAddress: 2})
	for from, want := range map[string]int{
		"192.0.2.1:%d":      2,
		"192.0.2.2:%d":      2,
		"[2001:db8::%d]:80": 2, // one network
		"127.0.0.1:%d":      5, // this machine
		"[::1]:%d":          5,
		"10.0.0.1:%d":       5, // the proxy
	} {
		peers := make(chan net.Conn, 5)
		var closed []<-chan struct{}
		for n := range 5 {
			c, gone := newPeer(fmt.Sprintf(from, n+1))
			peers <- c
			closed = append(closed, gone)
		}
		close(peers)
		got := 0
		for at := (&listener{queue{peers: peers}, l}); ; got++ {
			c, err := at.Accept()
			if err != nil {
				break
			}
			defer c.Close()
		}
		for _, gone := range closed[want:] {
			<-gone
		}
		if got != want {
			t.Errorf("%s: %d are pending, want %d", from, got, want)
		}
	}
	if n := l.refused[overAddress].Load(); n != 9 {
		t.Errorf("%d were refused, want 9", n)
	}
}

func TestOpenConnectionsAreLimited(t *testing.T) {
	a, b, local := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.Addr{}
	for name, tt := range map[string]struct {
		limits Limits
		from   []netip.Addr
		want   []string // empty where the connection is opened, else the reason
	}{
		"in all and by address": {Limits{MaxConnections: 3, MaxConnectionsPerAddress: 2},
			[]netip.Addr{a, a, a, b, b, a, local}, []string{"", "", "address", "", "limit", "limit", "limit"}},
		"this machine only in all": {Limits{MaxConnections: 3, MaxConnectionsPerAddress: 1, MaxPendingPerAddress: 1},
			[]netip.Addr{local, local, local, local}, []string{"", "", "", "limit"}},
		"no limits": {Limits{MaxConnections: -1, MaxConnectionsPerAddress: -1, MaxPending: -1, MaxPendingPerAddress: -1, HandshakeTimeout: -1},
			slices.Repeat([]netip.Addr{a}, 2_000), make([]string, 2_000)},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLimiter(tt.limits)
			var all []*conn
			for i, from := range tt.from {
				c, _ := newPeer("10.0.0.1:1") // all come by one proxy
				pending := l.add(c)
				all = append(all, pending)
				why := l.open(pending, from)
				if again := l.full(from); why != none && again != why {
					t.Errorf("full returns %v, open %v", again, why)
				}
				if got := answers[why].name; got != tt.want[i] {
					t.Errorf("the connection %d is refused for %q, want %q", i, got, tt.want[i])
				}
			}
			all[0].Close()
			if why := l.full(tt.from[0]); why != none {
				t.Errorf("one is closed, and another is refused for %v", why)
			}
			for _, c := range all {
				c.Close()
			}
			l.empty(t)
		})
	}
}

func TestPendingConnectionsTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLimiter(Limits{HandshakeTimeout: time.Minute})
		c1, closed1 := newPeer("192.0.2.1:1")
		c2, closed2 := newPeer("192.0.2.1:2")
		silent, open := l.add(c1), l.add(c2)
		if l.open(open, open.peer) != none {
			t.Fatal("refused")
		}
		begin := time.Now()
		<-closed1
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("closed after %v", took)
		}
		time.Sleep(time.Hour)
		select {
		case <-closed2:
			t.Error("an open connection is closed")
		default:
		}
		silent.Close()
		open.Close()
		<-closed2
		l.empty(t)
	})
}

func TestConnectionLimiterIsSafeForConcurrentUse(t *testing.T) {
	l := newTestLimiter(Limits{MaxConnections: 20, MaxConnectionsPerAddress: 5, MaxPending: 10, MaxPendingPerAddress: 3, HandshakeTimeout: time.Millisecond})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				c, closed := newPeer(fmt.Sprintf("192.0.2.%d:1", (i+n)%6))
				if pending := l.add(c); pending != nil {
					l.open(pending, pending.peer)
					if open, pending := l.count(); open > 20 || pending > 10 {
						t.Errorf("%d open, %d pending", open, pending)
					}
					pending.Close()
				}
				<-closed
			}
		})
	}
	all.Wait()
	l.empty(t)
}
