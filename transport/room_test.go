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

func newTestRoom(limits DoorLimits) *room {
	proxy := netip.MustParseAddr("10.0.0.1")
	return newRoom(limits.bounded(), new(counters), func(a netip.Addr) bool { return a == proxy })
}

// empty checks that a room has forgotten everything.
func (r *room) empty(t *testing.T) {
	t.Helper()
	if open, pending := r.count(); open != 0 || pending != 0 || len(r.openBy) != 0 || len(r.pendingBy) != 0 {
		t.Errorf("%d open, %d pending; by address %v, %v", open, pending, r.openBy, r.pendingBy)
	}
}

func TestTheOldestPendingConnectionGivesWay(t *testing.T) {
	r := newTestRoom(DoorLimits{Pending: 3})
	var all []*conn
	var left []<-chan struct{}
	enter := func(n int) {
		c, gone := newStranger(fmt.Sprintf("192.0.2.%d:1", n))
		all, left = append(all, r.enter(c)), append(left, gone)
	}
	for n := range 3 {
		enter(n)
	}
	if why, ok := r.admit(all[0], all[0].peer); !ok {
		t.Fatal(why)
	}
	enter(3) // room was made by the one that is in
	enter(4)
	<-left[1]
	enter(5)
	<-left[2]
	if why, ok := r.admit(all[2], all[2].peer); ok || why != late {
		t.Errorf("one that gave way is let in, or because of %v", why)
	}
	if open, pending := r.count(); open != 1 || pending != 3 {
		t.Errorf("%d open, %d pending", open, pending)
	}
	if n := r.counters.refused[late].Load(); n != 2 {
		t.Errorf("%d were late, want 2", n)
	}
	for _, c := range all {
		c.Close()
		c.Close()
	}
	for _, gone := range left {
		<-gone
	}
	r.empty(t)
}

func TestOneAddressDoesNotShutOutOthers(t *testing.T) {
	r := newTestRoom(DoorLimits{Pending: 100, PendingPerAddress: 2})
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
			if c := r.enter(c); c != nil {
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
	if n := r.counters.refused[overAddress].Load(); n != 9 {
		t.Errorf("%d were refused, want 9", n)
	}
}

func TestConnectionsThatAreLetInAreBounded(t *testing.T) {
	r := newTestRoom(DoorLimits{Connections: 3, ConnectionsPerAddress: 2})
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	// All come by one proxy.
	admit := func(from netip.Addr) (*conn, string) {
		c, _ := newStranger("10.0.0.1:1")
		entered := r.enter(c)
		why, ok := r.admit(entered, from)
		if again, full := r.full(from); !ok && (!full || again != why) {
			t.Errorf("full says %v, admit %v", again, why)
		}
		if ok {
			return entered, ""
		}
		entered.Close()
		return nil, why.String()
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
	r.empty(t)
}

func TestThisMachineIsOnlyBoundedInAll(t *testing.T) {
	r := newTestRoom(DoorLimits{Connections: 5, ConnectionsPerAddress: 1, PendingPerAddress: 1})
	for n := range 6 {
		c, _ := newStranger("127.0.0.1:1")
		entered := r.enter(c)
		defer entered.Close()
		if why, ok := r.admit(entered, netip.Addr{}); ok != (n < 5) || !ok && why != overLimit {
			t.Errorf("the connection %d is let in: %v, %v", n, ok, why)
		}
	}
}

func TestNegativeLimitsBoundNothing(t *testing.T) {
	r := newTestRoom(DoorLimits{Connections: -1, ConnectionsPerAddress: -1, Pending: -1, PendingPerAddress: -1, HandshakeTimeout: -1})
	var all []*conn
	for range 2_000 {
		c, _ := newStranger("192.0.2.1:1")
		all = append(all, r.enter(c))
	}
	for _, c := range all {
		if why, ok := r.admit(c, c.peer); !ok {
			t.Fatalf("refused for %v", why)
		}
	}
	for _, c := range all {
		c.Close()
	}
	r.empty(t)
}

func TestPendingConnectionsHaveSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRoom(DoorLimits{HandshakeTimeout: time.Minute})
		c1, left1 := newStranger("192.0.2.1:1")
		c2, left2 := newStranger("192.0.2.1:2")
		silent, admitted := r.enter(c1), r.enter(c2)
		if _, ok := r.admit(admitted, admitted.peer); !ok {
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
			t.Error("one that was let in is closed")
		default:
		}
		silent.Close()
		admitted.Close()
		<-left2
		r.empty(t)
	})
}

func TestRoomUnderManyHands(t *testing.T) {
	r := newTestRoom(DoorLimits{Connections: 20, ConnectionsPerAddress: 5, Pending: 10, PendingPerAddress: 3, HandshakeTimeout: time.Millisecond})
	var hands sync.WaitGroup
	for hand := range 8 {
		hands.Go(func() {
			for n := range 200 {
				c, left := newStranger(fmt.Sprintf("192.0.2.%d:1", (hand+n)%6))
				if entered := r.enter(c); entered != nil {
					r.admit(entered, entered.peer)
					if open, pending := r.count(); open > 20 || pending > 10 {
						t.Errorf("%d open, %d pending", open, pending)
					}
					entered.Close()
				}
				<-left
			}
		})
	}
	hands.Wait()
	r.empty(t)
}
