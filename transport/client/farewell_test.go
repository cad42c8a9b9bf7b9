// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
)

// gate is a connection whose writes can be held up.
type gate struct {
	net.Conn
	shut    atomic.Bool
	waiting chan struct{} // receives when a write waits
	opened  chan struct{} // lets it go on, once
}

func (g *gate) Write(p []byte) (int, error) {
	if g.shut.CompareAndSwap(true, false) {
		g.waiting <- struct{}{}
		<-g.opened
	}
	return g.Conn.Write(p)
}

// TestFarewell: a hub is told that a stream is no longer wanted, though the
// client is closed before there was time to say it.
func TestFarewell(t *testing.T) {
	told := make(chan []string, 1)
	h := pretend(t, func(c *peer) {
		c.Info("h")
		c.Called("7")
		c.Item("7", data("1"))
		var methods []string
		for r := c.Next(); r != nil; r = c.Next() {
			methods = append(methods, r.Method)
		}
		told <- methods
	})
	for range 20 { // which of two things is seen first is left to chance
		g := &gate{waiting: make(chan struct{}), opened: make(chan struct{})}
		c := dial(t, h.url, client.WithNetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			g.Conn = conn
			return g, err
		}))
		other := make(chan struct{})
		for _, err := range c.Call(testkit.Context(t), "x.y", nil) {
			if err != nil {
				t.Fatal(err)
			}
			g.shut.Store(true)
			go func() { // keeps the writer busy
				defer close(other)
				gathered(c.Call(testkit.Context(t), "x.z", nil))
			}()
			<-g.waiting
			break
		}
		closed := make(chan struct{})
		go func() { c.Close(); close(closed) }()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		testkit.Eventually(t, "the client to be closing", func() bool {
			_, err := c.Info(ctx)
			return errors.Is(err, client.ErrClosed)
		})
		close(g.opened)
		<-closed
		<-other
		if got := <-told; !slices.Contains(got, "h.call_unsub") {
			t.Fatalf("the hub was told %q", got)
		}
	}
}
