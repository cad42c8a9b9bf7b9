// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

func TestCallsInFlightAreBounded(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		var first int64
		for id := range 256 {
			time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
			sub := c.call(id, "probe.block", "{}")
			c.Item(sub, "data")
			if id == 0 {
				first = sub
			}
		}
		begin := time.Now()
		c.Send(blockMember, 256)
		f := c.Rejected("256", -32029)
		if took := time.Since(begin); took != time.Second || f.Error.Message != "Too many calls" {
			t.Errorf("refused after %v: %s", took, f.Text)
		}
		if n := s.probe.running.Load(); n != 256 {
			t.Errorf("%d streams run, want 256", n)
		}
		// What is no call, and one that never waits, needs no place.
		c.Quiet()
		begin = time.Now()
		for _, method := range []string{"_info", "hub.hash", "echo.schema"} {
			time.Sleep(time.Millisecond)
			c.Send(`{"jsonrpc":"2.0","id":1,"method":%q}`, method)
			c.served(c.Subscribed("1"))
		}
		time.Sleep(time.Millisecond)
		c.Item(c.call(1, "none.x", "{}"), "error")
		if took := time.Since(begin); took != 4*time.Millisecond {
			t.Errorf("quick calls beside 256 streams took %v", took)
		}
		c.unsubscribed("hub.call_unsub", first, true)
		time.Sleep(time.Millisecond)
		c.Item(c.call(257, "probe.block", "{}"), "data")

		// Another connection has places of its own.
		other := s.dial()
		time.Sleep(time.Millisecond)
		sub := other.call(1, "echo.once", `{"message":"x"}`)
		other.served(sub)
	})
}

func TestParametersOfCallsInFlightAreBounded(t *testing.T) {
	const limit = 100_000
	inMemoryWith(t, websocket.Limits{MaxMessageBytes: limit}, func(t *testing.T, s *server, c *client) {
		block := func(id, bytes int) {
			time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
			c.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.block","params":{"text":%q}}`, id, strings.Repeat("t", bytes))
		}
		var subs []int64
		for id, bytes := range []int{1_000, 60_000, 60_000} { // the last may pass the bound
			block(id, bytes)
			subs = append(subs, c.Subscribed(fmt.Sprint(id)))
			c.Item(subs[id], "data")
		}
		begin := time.Now()
		block(3, 1)
		c.Rejected("3", -32029)
		if took := time.Since(begin); took < time.Second {
			t.Errorf("refused after %v, want it to wait", took)
		}
		c.unsubscribed("hub.call_unsub", subs[1], true)
		c.Item(c.call(4, "probe.block", "{}"), "data")
	})
}

func TestAClientThatReadsLateIsNotRefused(t *testing.T) {
	t.Parallel()
	// More calls than may run, and a client that reads long after CallWait.
	const calls, wait = 500, time.Second
	tap := newTap(t)
	c := serveOn(t, websocket.Limits{CallWait: wait, StallTimeout: testkit.Patience}, tap).dial()
	c.Quiet()
	for id := range calls {
		c.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.large","params":{"bytes":20000}}`, id)
	}
	tap.steady(t)
	time.Sleep(wait)
	for done := 0; done < calls; {
		f := c.Next()
		if f.Error != nil {
			t.Fatalf("after %d calls: %s", done, f.Text)
		}
		if f.Method != "" && f.Params.Result.Type == "done" {
			done++
		}
	}
}

func TestAnIdleConnectionKeepsNothingOfLargeMessages(t *testing.T) {
	const size = 2 << 20
	s := serve(t, websocket.Limits{})
	c := s.dial()
	c.Quiet()
	before := heap()
	// Streams that go on, begun by small parts of large messages.
	padding := strings.Repeat("p", size)
	c.Send(`[%s,{"padding":%q}]`, fmt.Sprintf(blockMember, 1), padding)
	c.Text()
	c.Next()
	c.Send(`{"jsonrpc":"2.0","id":3,"method":"probe.keep","params":{"raw":[1,2,3]},"padding":%q}`, padding)
	c.Subscribed("3")
	c.Next()
	padding = ""
	c.Send("%s", once(2, size))
	c.served(c.Subscribed("2"))
	if cost := heap() - before; cost > size/4 {
		t.Errorf("%d KiB are kept", cost>>10)
	}
	if n := s.probe.running.Load(); n != 1 {
		t.Errorf("%d streams run, want 1", n)
	}
}

// TestACallWaitsAgainForOneThatIsToEnd: after a call has waited too long, none
// waits until the client has done something to end one that runs.
func TestACallWaitsAgainForOneThatIsToEnd(t *testing.T) {
	limits := websocket.Limits{MaxCalls: 1}
	const write = `{"jsonrpc":"2.0","id":%d,"method":"probe.write"}`
	t.Run("unsubscribed", func(t *testing.T) {
		inMemoryWith(t, limits, func(t *testing.T, s *server, c *client) {
			first := c.call(1, "probe.hang", "{}")
			time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
			c.Send(write, 2)
			c.Rejected("2", -32029)
			c.unsubscribed("hub.call_unsub", first, true)
			time.AfterFunc(time.Second/2, func() { close(s.probe.released) })
			c.Send(write, 3)
			c.Item(c.Subscribed("3"), "data")
		})
	})
	t.Run("answered", func(t *testing.T) {
		inMemoryWith(t, limits, func(t *testing.T, s *server, c *client) {
			id := c.asked(c.call(1, "probe.ask", `{"text":"Sure?"}`), "Sure?")
			time.Sleep(time.Millisecond)
			c.Send(write, 2)
			c.Rejected("2", -32029)
			c.Send("[%s,"+write+"]", answerTo(3, id, confirmed), 4)
			text := c.Text()
			for text[0] != '[' { // the stream may go on before
				text = c.Text()
			}
			if !strings.Contains(text, `"id":4,"result":`) {
				t.Errorf("got %s", text)
			}
		})
	})
}
