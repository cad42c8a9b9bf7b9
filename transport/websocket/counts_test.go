// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/transport/websocket"
)

// TestEachLimitIsCounted meets limits one by one, and sees that nothing but
// theirs is counted.
func TestEachLimitIsCounted(t *testing.T) {
	const size = 1 << 10
	limits := websocket.Limits{
		MaxMessageBytes: size, MaxDepth: 4, MaxCalls: 1, CallWait: time.Second, PingInterval: time.Second, IdleTimeout: 5 * time.Second,
		MaxCallsPerSecond: 100, StallTimeout: time.Second,
	}
	for name, test := range map[string]struct {
		meet func(s *server, c *client)
		want websocket.Counts
	}{
		"none": {func(_ *server, c *client) { c.Quiet() }, websocket.Counts{}},
		"size": {func(_ *server, c *client) {
			c.Send("%s", strings.Repeat(" ", size+1))
			c.Rejected("null", -32007)
		}, websocket.Counts{Large: 1}},
		"size far over the limit": {func(_ *server, c *client) {
			go c.NetConn().Write(beginning(1 << 40)) // until the connection is closed
			c.closedWith(gorilla.CloseMessageTooBig)
		}, websocket.Counts{Large: 1}},
		"depth": {func(_ *server, c *client) {
			c.Send(`{"jsonrpc":"2.0","id":1,"method":"none","params":[[[1]]]}`)
			c.Rejected("1", -32601)
			c.Send(`{"jsonrpc":"2.0","id":1,"method":"none","params":[[[[1]]]]}`)
			if f := c.Rejected("1", -32600); f.Error.Data != "the message is nested deeper than 4 levels, the limit" {
				c.t.Error(f.Text)
			}
		}, websocket.Counts{Deep: 1}},
		"depth of a batch": {func(_ *server, c *client) {
			c.Send(`[{"jsonrpc":"2.0","method":"none","params":[[[1]]]}]`)
			c.Rejected("null", -32600)
		}, websocket.Counts{Deep: 1}},
		"calls at once": {func(s *server, c *client) {
			c.call(1, "probe.hang", "{}")
			c.Send(`{"jsonrpc":"2.0","id":2,"method":"probe.hang"}`)
			c.Rejected("2", -32029)
			close(s.probe.released)
		}, websocket.Counts{Busy: 1}},
		"calls a second": {func(_ *server, c *client) {
			for id := range wire.MaxBatch + 1 { // as many as a batch has may come at once
				c.Send(`{"jsonrpc":"2.0","id":%d,"method":"none"}`, id)
				c.Next()
			}
		}, websocket.Counts{Slowed: 1}},
		"idle": {func(_ *server, c *client) { c.Closed() }, websocket.Counts{Idle: 1}},
		"reads nothing": {func(s *server, c *client) {
			c.Send(`{"jsonrpc":"2.0","id":1,"method":"probe.large","params":{"bytes":%d}}`, 2<<20)
			s.ended()
		}, websocket.Counts{Stalled: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			inMemoryWith(t, limits, func(t *testing.T, s *server, c *client) {
				test.meet(s, c)
				synctest.Wait()
				got := s.Counts()
				got.Held, got.Connections = 0, 0
				if got != test.want {
					t.Errorf("got %+v, want %+v", got, test.want)
				}
			})
		})
	}
}
