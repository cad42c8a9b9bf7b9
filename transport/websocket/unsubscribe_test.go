// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"fmt"
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
