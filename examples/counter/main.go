// SPDX-License-Identifier: AGPL-3.0-only

// Command counter hosts an activation with state, which is started and closed by
// its hub: a counter that callers add to and watch. Try it with
//
//	go run ./cmd/plexus -P 4444 counter-hub counter watch
//	go run ./cmd/plexus -P 4444 counter-hub counter add --by 3
package main

import (
	"cmp"
	"context"
	"iter"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// Counter is the activation.
type Counter struct {
	every   time.Duration // how often it adds one by itself
	running sync.WaitGroup
	mu      sync.Mutex
	value   int64
	changed chan struct{} // closed at the next change
}

// New makes a counter that adds one after each interval.
func New(every time.Duration) *Counter { return &Counter{every: every, changed: make(chan struct{})} }

// Count is what both methods answer with.
type Count struct {
	Value int64 `json:"value"`
}

type addParams struct {
	By int64 `json:"by,omitzero" default:"1" description:"How much to add"`
}

// Define is called once, when the hub registers the counter.
func (c *Counter) Define() plugin.Definition {
	return plugin.Definition{
		Namespace: "counter", Version: "1.0.0", Description: "Counts",
		Methods: []plugin.Method{
			plugin.Unary("add", "Add to the counter", func(_ context.Context, in addParams) (Count, error) { return c.add(in.By), nil }),
			plugin.Stream("watch", "Tell the value, and every change of it", c.watch),
		},
		Middleware: []plugin.Middleware{plugin.Logging(slog.LevelDebug)},
	}
}

// Start lets the counter count until ctx ends.
func (c *Counter) Start(ctx context.Context) error {
	c.running.Go(func() {
		for tick := time.Tick(c.every); ctx.Err() == nil; {
			select {
			case <-tick:
				c.add(1)
			case <-ctx.Done():
			}
		}
	})
	return nil
}

// Close waits for the goroutine of Start.
func (c *Counter) Close() error { c.running.Wait(); return nil }

func (c *Counter) add(by int64) Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value += by
	close(c.changed)
	c.changed = make(chan struct{})
	return Count{c.value}
}

// watch yields the value at each change. A slow caller misses values in between.
func (c *Counter) watch(ctx context.Context, _ plugin.None) iter.Seq2[Count, error] {
	return func(yield func(Count, error) bool) {
		for {
			c.mu.Lock()
			now, changed := Count{c.value}, c.changed
			c.mu.Unlock()
			if !yield(now, nil) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := hub.New("counter-hub")
	if err == nil {
		err = h.Register(New(time.Minute))
	}
	if err == nil {
		address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4444")
		err = transport.ListenAndServe(ctx, address, h)
	}
	if err != nil {
		log.Fatal(err)
	}
}
