// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/transport/websocket"
)

func TestManySmallAnswersLeaveInFewWrites(t *testing.T) {
	const calls = 200
	all := writes(calls)
	for name, serve := range transports {
		t.Run(name, func(t *testing.T) {
			tap := newTap(t)
			c := serve(t, websocket.Limits{}, tap).dial()
			c.Quiet()
			before := tap.writes.Load()
			if _, err := c.NetConn().Write(all); err != nil {
				t.Fatal(err)
			}
			for range 3 * calls {
				c.Next()
			}
			if writes := tap.writes.Load() - before; writes > calls {
				t.Errorf("%d frames in %d writes, want less than one a call", 3*calls, writes)
			}
		})
	}
}

func TestALoneAnswerIsNotDelayed(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		for id := range 5 {
			time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
			begin := time.Now()
			c.Item(c.call(id, "probe.block", "{}"), "data")
			if took := time.Since(begin); took != 0 {
				t.Errorf("answered after %v", took)
			}
		}
	})
}

// TestAQuickCallBesideABusyWriter: the reader answers a quick call, unless
// somebody else writes; then the writer does.
func TestAQuickCallBesideABusyWriter(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		c.Send(`{"jsonrpc":"2.0","id":1,"method":"probe.block"}`)
		synctest.Wait() // the writer waits for the client
		time.Sleep(time.Millisecond)
		c.Send(`{"jsonrpc":"2.0","id":2,"method":"_info"}`)
		synctest.Wait()
		c.Item(c.Subscribed("1"), "data")
		c.served(c.Subscribed("2"))
	})
}
