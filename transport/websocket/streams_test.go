// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// instrumented reports whether the race detector is in the program: stacks are
// larger then.
func instrumented() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestManyStreamsOverConnections: 10,000 streams at once, 250 on a connection,
// cost less than 10 KiB each, with their share of the connections of both sides.
func TestManyStreamsOverConnections(t *testing.T) {
	const connections, calls = 40, 250
	limit := int64(10 << 10)
	if instrumented() {
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
