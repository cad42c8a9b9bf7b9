// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/transport/websocket"
)

func TestASilentPeerIsClosed(t *testing.T) {
	const dead = 200 * time.Millisecond
	s := serve(t, websocket.Limits{PingInterval: dead / 10, DeadTimeout: dead})
	begin := time.Now()
	c := s.dial() // reads nothing, and so answers no ping
	sub := c.call(1, "probe.block", "{}")
	c.item(sub, "data")
	until(t, "the connection to be closed", func() bool { return s.Connections() == 0 })
	if took := time.Since(begin); took < dead {
		t.Errorf("closed after %v, want %v", took, dead)
	}
	if n := s.probe.running.Load(); n != 0 {
		t.Errorf("%d streams run", n)
	}
}

func TestAPeerThatAnswersPingsStays(t *testing.T) {
	const interval, dead = 30 * time.Millisecond, 600 * time.Millisecond
	s := serve(t, websocket.Limits{PingInterval: interval, DeadTimeout: dead})
	c := s.dial()
	answer := c.PingHandler()
	begin, pings := time.Now(), 0
	for pings < 25 {
		c.SetPingHandler(func(data string) error {
			if pings++; pings == 25 {
				c.send(`{"jsonrpc":"2.0","id":1,"method":"none"}`)
			}
			return answer(data)
		})
		c.refused("1", -32601)
	}
	if took := time.Since(begin); took < 24*interval || took < dead {
		t.Errorf("%d pings in %v, want one each %v", pings, took, interval)
	}
	c.quiet()
}

func TestPingsGoOnBesideAStream(t *testing.T) {
	t.Parallel()
	s := serve(t, websocket.Limits{PingInterval: 10 * time.Millisecond})
	c := s.dial()
	c.call(1, "probe.flood", `{"bytes":100}`)
	pings := 0
	c.SetPingHandler(func(string) error { pings++; return nil })
	until(t, "pings", func() bool {
		c.text()
		return pings >= 3
	})
}

func TestAnIdlePeerIsClosedWhereAsked(t *testing.T) {
	s := serve(t, websocket.Limits{PingInterval: 5 * time.Millisecond, IdleTimeout: 50 * time.Millisecond})
	busy, idle := s.dial(), s.dial()
	sub := busy.call(1, "probe.block", "{}")
	busy.item(sub, "data")
	if got := idle.closed(); got != gorilla.CloseNormalClosure {
		t.Errorf("closed with %d, want %d", got, gorilla.CloseNormalClosure)
	}
	// One with a stream stays, whatever comes of it, until that ends.
	pings := 0
	busy.SetPingHandler(func(string) error {
		if pings++; pings == 20 {
			busy.send(`{"jsonrpc":"2.0","id":2,"method":"hub.call_unsub","params":[%d]}`, sub)
		}
		return nil
	})
	if got := busy.closed(); got != gorilla.CloseNormalClosure || pings < 20 {
		t.Errorf("closed with %d after %d pings", got, pings)
	}
}
