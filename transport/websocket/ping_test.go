// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/transport/websocket"
)

func TestPingsGoOnBesideAStream(t *testing.T) {
	t.Parallel()
	s := serve(t, websocket.Limits{PingInterval: 10 * time.Millisecond})
	c := s.dial()
	c.call(1, "probe.flood", `{"bytes":100}`)
	pings := 0
	c.SetPingHandler(func(string) error { pings++; return nil })
	for pings < 3 {
		c.Text()
	}
}

func TestAnIdlePeerIsClosedWhereAsked(t *testing.T) {
	const interval, idle = 100 * time.Millisecond, time.Second
	limits := websocket.Limits{PingInterval: interval, IdleTimeout: idle}
	inMemoryWith(t, limits, func(t *testing.T, s *server, c *client) {
		begin := time.Now()
		c.closedWith(gorilla.CloseNormalClosure)
		if took := time.Since(begin); took != idle {
			t.Errorf("closed after %v, want %v", took, idle)
		}
	})
	// One with a stream stays, whatever comes of it, until that ends.
	inMemoryWith(t, limits, func(t *testing.T, s *server, c *client) {
		sub := c.call(1, "probe.block", "{}")
		c.Item(sub, "data")
		begin, pings := time.Now(), 0
		c.SetPingHandler(func(string) error {
			if pings++; pings == 20 {
				c.Send(`{"jsonrpc":"2.0","id":2,"method":"hub.call_unsub","params":[%d]}`, sub)
			}
			return nil
		})
		c.closedWith(gorilla.CloseNormalClosure)
		if took := time.Since(begin); took < 20*interval+idle || took > 22*interval+idle {
			t.Errorf("closed after %v and %d pings", took, pings)
		}
	})
}
