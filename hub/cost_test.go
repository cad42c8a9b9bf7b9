// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"iter"
	"runtime"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
)

// costly has streams of which there may be many, or which may be long.
func costly(held *sync.WaitGroup) plugin.Definition {
	return plugin.Definition{Namespace: "s", Version: "1.0.0", Methods: []plugin.Method{
		plugin.Stream("count", "Numbers without end", func(context.Context, plugin.None) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for n := 1; yield(n, nil); n++ {
				}
			}
		}),
		plugin.Stream("hold", "One item, then nothing until it is cancelled", func(ctx context.Context, _ plugin.None) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				if yield(1, nil) {
					held.Done()
					<-ctx.Done()
				}
			}
		}),
	}}
}

// used is the memory in use: that of the heap and of all stacks.
func used() (bytes int64, allocated uint64) {
	runtime.GC()
	runtime.GC() // what finalizers and pools have let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse), m.TotalAlloc
}

// TestALongStreamTakesNoMemory: a million items cost what the first have.
func TestALongStreamTakesNoMemory(t *testing.T) {
	const first, last = 10_000, 1_000_000
	h, _ := newHub(t, "H", costly(nil))
	var before, after int64
	var allocatedBefore, allocatedAfter uint64
	n := 0
	for item := range h.Call("s.count", nil).Items(t.Context()) {
		if n++; item.Content != n {
			t.Fatalf("item %d is %v", n, item.Content)
		}
		if n == first {
			before, allocatedBefore = used()
		}
		if n == last {
			after, allocatedAfter = used()
			break
		}
	}
	growth, each := after-before, float64(allocatedAfter-allocatedBefore)/(last-first)
	t.Logf("%d items: the memory in use grew by %d bytes; %.1f bytes were allocated for each", n, growth, each)
	if growth > 1<<20 {
		t.Errorf("it grew by %d bytes", growth)
	}
	if each > 64 {
		t.Errorf("%.1f bytes were allocated for each item", each)
	}
}

// TestManyStreamsAtOnce: 10,000 cost less than 10 KiB each, their goroutines included.
func TestManyStreamsAtOnce(t *testing.T) {
	const streams = 10_000
	limit := int64(10 << 10)
	if testkit.Instrumented() {
		limit *= 2
	}
	var held, all sync.WaitGroup
	h, _ := newHub(t, "H", costly(&held))
	ctx, cancel := context.WithCancel(t.Context())
	before, _ := used()
	held.Add(streams)
	for range streams {
		all.Go(func() {
			for range h.Call("s.hold", nil).Items(ctx) {
			}
		})
	}
	held.Wait()
	after, _ := used()
	cancel()
	all.Wait()
	each := (after - before) / streams
	t.Logf("%d streams at once: %d bytes each", streams, each)
	if each > limit {
		t.Errorf("each takes %d bytes, more than %d", each, limit)
	}
}
