// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stranger is a connection from a made-up address.
type stranger struct {
	net.Conn
	remote net.Addr
}

func (s stranger) RemoteAddr() net.Addr { return s.remote }

// newStranger connects from an address. left is closed when the server closes
// the connection.
func newStranger(from string) (at net.Conn, left <-chan struct{}) {
	ours, theirs := net.Pipe()
	gone := make(chan struct{})
	go func() { // ends with the connection
		defer close(gone)
		_, _ = io.Copy(io.Discard, theirs)
	}()
	return stranger{ours, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}, gone
}

func newTestLimiter(limits Limits) *connectionLimiter {
	proxy := netip.MustParseAddr("10.0.0.1")
	return newConnectionLimiter(limits.withDefaults(), new(counters), func(a netip.Addr) bool { return a == proxy })
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
	var left []<-chan struct{}
	add := func(n int) {
		c, gone := newStranger(fmt.Sprintf("192.0.2.%d:1", n))
		all, left = append(all, l.add(c)), append(left, gone)
	}
	for n := range 3 {
		add(n)
	}
	if why, ok := l.open(all[0], all[0].peer); !ok {
		t.Fatal(why)
	}
	add(3) // within the limit, since one is open
	add(4)
	<-left[1]
	add(5)
	<-left[2]
	if why, ok := l.open(all[2], all[2].peer); ok || why != late {
		t.Errorf("a dropped one is opened, or refused for %v", why)
	}
	if open, pending := l.count(); open != 1 || pending != 3 {
		t.Errorf("%d open, %d pending", open, pending)
	}
	if n := l.counters.refused[late].Load(); n != 2 {
		t.Errorf("%d were late, want 2", n)
	}
	for _, c := range all {
		c.Close()
		c.Close()
	}
	for _, gone := range left {
		<-gone
	}
	l.empty(t)
}

func TestOneAddressDoesNotShutOutOthers(t *testing.T) {
	l := newTestLimiter(Limits{MaxPending: 100, MaxPendingPerAddress: 2})
	for from, want := range map[string]int{
		"192.0.2.1:%d":      2,
		"192.0.2.2:%d":      2,
		"[2001:db8::%d]:80": 2, // one network
		"127.0.0.1:%d":      5, // this machine
		"[::1]:%d":          5,
		"10.0.0.1:%d":       5, // the proxy
	} {
		got := 0
		for n := range 5 {
			c, left := newStranger(fmt.Sprintf(from, n+1))
			if c := l.add(c); c != nil {
				got++
				defer c.Close()
			} else {
				<-left
			}
		}
		if got != want {
			t.Errorf("%s: %d entered, want %d", from, got, want)
		}
	}
	if n := l.counters.refused[overAddress].Load(); n != 9 {
		t.Errorf("%d were refused, want 9", n)
	}
}

func TestOpenConnectionsAreLimited(t *testing.T) {
	l := newTestLimiter(Limits{MaxConnections: 3, MaxConnectionsPerAddress: 2})
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	// All come by one proxy.
	admit := func(from netip.Addr) (*conn, string) {
		c, _ := newStranger("10.0.0.1:1")
		entered := l.add(c)
		why, ok := l.open(entered, from)
		if again, full := l.full(from); !ok && (!full || again != why) {
			t.Errorf("full says %v, admit %v", again, why)
		}
		if ok {
			return entered, ""
		}
		entered.Close()
		return nil, answers[why].name
	}
	var in []*conn
	for i, tt := range []struct {
		from netip.Addr
		want string
	}{{a, ""}, {a, ""}, {a, "address"}, {b, ""}, {b, "limit"}, {a, "limit"}, {netip.Addr{}, "limit"}} {
		c, why := admit(tt.from)
		if why != tt.want {
			t.Errorf("the connection %d is refused for %q, want %q", i, why, tt.want)
		}
		if c != nil {
			in = append(in, c)
		}
	}
	in[0].Close()
	if c, why := admit(a); why != "" {
		t.Errorf("refused for %q though there is room again", why)
	} else {
		in = append(in, c)
	}
	for _, c := range in {
		c.Close()
	}
	l.empty(t)
}

func TestThisMachineHasNoLimitPerAddress(t *testing.T) {
	l := newTestLimiter(Limits{MaxConnections: 5, MaxConnectionsPerAddress: 1, MaxPendingPerAddress: 1})
	for n := range 6 {
		c, _ := newStranger("127.0.0.1:1")
		entered := l.add(c)
		defer entered.Close()
		if why, ok := l.open(entered, netip.Addr{}); ok != (n < 5) || !ok && why != overLimit {
			t.Errorf("the connection %d is let in: %v, %v", n, ok, why)
		}
	}
}

func TestNegativeLimitsAreNone(t *testing.T) {
	l := newTestLimiter(Limits{MaxConnections: -1, MaxConnectionsPerAddress: -1, MaxPending: -1, MaxPendingPerAddress: -1, HandshakeTimeout: -1})
	var all []*conn
	for range 2_000 {
		c, _ := newStranger("192.0.2.1:1")
		all = append(all, l.add(c))
	}
	for _, c := range all {
		if why, ok := l.open(c, c.peer); !ok {
			t.Fatalf("refused for %v", why)
		}
	}
	for _, c := range all {
		c.Close()
	}
	l.empty(t)
}

func TestPendingConnectionsTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLimiter(Limits{HandshakeTimeout: time.Minute})
		c1, left1 := newStranger("192.0.2.1:1")
		c2, left2 := newStranger("192.0.2.1:2")
		silent, admitted := l.add(c1), l.add(c2)
		if _, ok := l.open(admitted, admitted.peer); !ok {
			t.Fatal("refused")
		}
		begin := time.Now()
		<-left1
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("closed after %v", took)
		}
		time.Sleep(time.Hour)
		select {
		case <-left2:
			t.Error("an open connection is closed")
		default:
		}
		silent.Close()
		admitted.Close()
		<-left2
		l.empty(t)
	})
}

func TestConnectionLimiterIsSafeForConcurrentUse(t *testing.T) {
	l := newTestLimiter(Limits{MaxConnections: 20, MaxConnectionsPerAddress: 5, MaxPending: 10, MaxPendingPerAddress: 3, HandshakeTimeout: time.Millisecond})
	var hands sync.WaitGroup
	for hand := range 8 {
		hands.Go(func() {
			for n := range 200 {
				c, left := newStranger(fmt.Sprintf("192.0.2.%d:1", (hand+n)%6))
				if entered := l.add(c); entered != nil {
					l.open(entered, entered.peer)
					if open, pending := l.count(); open > 20 || pending > 10 {
						t.Errorf("%d open, %d pending", open, pending)
					}
					entered.Close()
				}
				<-left
			}
		})
	}
	hands.Wait()
	l.empty(t)
}
