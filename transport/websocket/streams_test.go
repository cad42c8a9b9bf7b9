// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

func TestUnsubscribeEndsAStream(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	for _, method := range []string{"hub.call_unsub", "probe_unsubscribe_block", "_info_unsub"} {
		sub := c.call(1, "probe.block", "{}")
		c.Item(sub, "data")
		c.unsubscribed(method, sub, true)
		testkit.Eventually(t, "the producer to stop", func() bool { return s.probe.running.Load() == 0 })
		c.unsubscribed(method, sub, false)
		c.Quiet()
	}
}

func TestNothingFollowsAnUnsubscription(t *testing.T) {
	// Small bounds: the producer is often waiting for room.
	s := serve(t, websocket.Limits{MaxQueueFrames: 2})
	c := s.dial()
	for range 20 {
		sub := c.call(1, "probe.flood", `{"bytes":100}`)
		c.Item(sub, "data")
		c.unsubscribe("hub.call_unsub", sub)
		for {
			f := c.Next()
			if f.Method != "" {
				continue
			}
			if f.Text != `{"jsonrpc":"2.0","id":"unsub","result":true}` {
				t.Fatalf("got %s", f.Text)
			}
			break
		}
		c.Quiet()
	}
	testkit.Eventually(t, "the producers to stop", func() bool { return s.probe.running.Load() == 0 })
}

func TestAStreamThatHasEndedCannotBeUnsubscribed(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	for range 100 {
		sub := c.call(1, "echo.once", `{"message":"x"}`)
		c.served(sub)
		c.unsubscribed("hub.call_unsub", sub, false)
	}
}

func TestAStreamWhoseLastItemWasSentHasEnded(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	sub := c.call(1, "probe.linger", "{}")
	c.Item(sub, "error")
	c.unsubscribed("hub.call_unsub", sub, false)
	close(s.probe.released)
}

func TestUnsubscribeReachesOnlyOnesOwnStreams(t *testing.T) {
	s := serve(t, websocket.Limits{})
	mine, other := s.dial(), s.dial()
	sub := mine.call(1, "probe.block", "{}")
	mine.Item(sub, "data")
	other.unsubscribed("hub.call_unsub", sub, false)
	if n := s.probe.running.Load(); n != 1 {
		t.Errorf("%d streams run, want 1", n)
	}
}

func TestUnsubscribeIsAnsweredBesideStreamsThatFillTheQueue(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	subs := map[int64]bool{}
	for id := range 50 {
		c.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.flood","params":{"bytes":20000}}`, id)
	}
	frames := 0
	for len(subs) < 50 {
		if f := c.Next(); f.Method == "" {
			var sub int64
			fmt.Sscan(string(f.Result), &sub)
			subs[sub] = true
		}
	}
	for sub := range subs {
		c.unsubscribe("hub.call_unsub", sub)
		break
	}
	for c.Next().Method != "" {
		if frames++; frames > 2000 {
			t.Fatal("no answer among 2,000 items")
		}
	}
}

func TestOtherStreamsGoOn(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	ending := c.call(1, "probe.block", "{}")
	c.Item(ending, "data")
	c.unsubscribe("hub.call_unsub", ending)
	c.Send(`{"jsonrpc":"2.0","id":2,"method":"echo.repeat","params":{"message":"x","count":100}}`)
	c.Expect(`{"jsonrpc":"2.0","id":"unsub","result":true}`)
	sub := c.Subscribed("2")
	for n := range 100 {
		if got, want := string(c.Item(sub, "data").Params.Result.Content), fmt.Sprintf(`{"message":"x","number":%d}`, n+1); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	c.Item(sub, "done")
}

// TestManyStreamsOverConnections: 10,000 streams at once, 250 on a connection,
// cost less than 10 KiB each, with their share of the connections of both sides.
func TestManyStreamsOverConnections(t *testing.T) {
	const connections, calls = 40, 250
	limit := int64(10 << 10)
	if testkit.Instrumented() {
		limit *= 2
	}
	s := serve(t, websocket.Limits{})
	used := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before := used()
	for range connections {
		c := s.dial()
		for id := range calls {
			c.Send(`{"jsonrpc":"2.0","id":%d,"method":"hub.call","params":{"method":"probe.block"}}`, id)
		}
		for range 2 * calls { // an answer and an item each
			if f := c.Next(); f.Error != nil {
				t.Fatal(f.Text)
			}
		}
	}
	if got := s.probe.running.Load(); got != connections*calls {
		t.Fatalf("%d streams run", got)
	}
	each := (used() - before) / (connections * calls)
	t.Logf("%d streams over %d connections: %d bytes each", connections*calls, connections, each)
	if each > limit {
		t.Errorf("each takes %d bytes, more than %d", each, limit)
	}
}

// TestASlowReaderSlowsTheProducer: a method makes no more than fits on the way
// to a client that does not read, and goes on when it does.
func TestASlowReaderSlowsTheProducer(t *testing.T) {
	const size, frames = 1 << 10, 64
	tap := newTap(t)
	s := serveOn(t, websocket.Limits{MaxQueueFrames: frames, StallTimeout: testkit.Patience}, tap)
	c := s.dial()
	c.TCP().SetReadBuffer(16 << 10)
	sub := c.call(1, "probe.flood", fmt.Sprintf(`{"bytes":%d}`, size))
	tap.steady(t)
	// What is on its way has been written, or lies in the queue, which is being
	// written in part; one item more is in the method's hand.
	made := s.probe.yielded.Load()
	written := tap.bytes.Load()
	limit := written/size + 2*frames + 1
	if made > limit {
		t.Errorf("%d items were made, of which %d bytes could be written: more than %d", made, written, limit)
	} else {
		t.Logf("%d items were made; %d bytes have left the hub, and the queue holds %d frames", made, written, frames)
	}
	for range 20 * frames {
		c.Item(sub, "data")
	}
	testkit.Eventually(t, "the method to go on", func() bool { return s.probe.yielded.Load() > made })
	// It stops within one item when the client has had enough.
	c.Send(`{"jsonrpc":"2.0","id":2,"method":"hub.call_unsub","params":[%d]}`, sub)
	for {
		f := c.Next()
		if string(f.ID) == "2" {
			break
		}
	}
	made = s.probe.yielded.Load()
	testkit.Eventually(t, "the method to end", func() bool { return s.probe.running.Load() == 0 })
	if more := s.probe.yielded.Load() - made; more > 1 {
		t.Errorf("%d items were made after the end", more)
	}
}
