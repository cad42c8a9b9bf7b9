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

// The writer is busy when the range is broken off, and the client closed.
func TestStreamsAreUnsubscribedFromThoughTheClientIsClosedAtOnce(t *testing.T) {
	received := make(chan []string, 1)
	h := testkit.Pretend(t, func(c *peer) {
		c.Info("h")
		c.Called("7")
		c.Item("7", data("1"))
		var methods []string
		for r := c.Next(); r != nil; r = c.Next() {
			methods = append(methods, r.Method)
		}
		received <- methods
	})
	for range 20 { // which of two things comes first is left to chance
		g := &gate{waiting: make(chan struct{}), opened: make(chan struct{})}
		c := dial(t, h, client.WithNetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
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
		if got := <-received; !slices.Contains(got, "h.call_unsub") {
			t.Fatalf("the hub has received %q", got)
		}
	}
}
