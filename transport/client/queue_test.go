// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
)

// generous is a hub whose method x.many sends so many items at once, and
// whose x.one sends one. It takes what the client sends meanwhile.
func generous(t *testing.T, many int) (p *testkit.Pipes, unsubscribed *atomic.Int64) {
	unsubscribed = new(atomic.Int64)
	p = pretendByPipe(t, func(c *peer) {
		c.Info("h")
		requests := make(chan *testkit.Asked, 100)
		go func() { // ends with the connection
			defer close(requests)
			for r := c.Next(); r != nil; r = c.Next() {
				requests <- r
			}
		}()
		for r := range requests {
			if r.Method == "h.call_unsub" {
				unsubscribed.Add(1)
				continue
			}
			c.Send(`{"id":%d,"result":%d}`, r.ID, r.ID)
			n := 1
			if r.Params.Method == "x.many" {
				n = many
			}
			for i := range n {
				c.Item(fmt.Sprint(r.ID), data(fmt.Sprint(i)))
			}
			c.Item(fmt.Sprint(r.ID), done)
		}
	})
	return p, unsubscribed
}

// TestSlowAlone takes a long stream slowly, through a short queue: nothing is
// lost, nobody is harmed.
func TestSlowAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := generous(t, 200)
		c := dialPipe(t, p, client.WithQueue(4, 1<<20, 2*time.Second))
		n := 0
		for item, err := range c.Call(context.Background(), "x.many", nil) {
			if err != nil || content(item) != fmt.Sprint(n) {
				t.Fatalf("%d: got %s, %v", n, content(item), err)
			}
			n++
			time.Sleep(1900 * time.Millisecond)
		}
		if n != 200 {
			t.Errorf("%d items", n)
		}
	})
}

// TestStalledRange takes one item and no more: its call fails, and what came
// before that can be had.
func TestStalledRange(t *testing.T) {
	for _, queue := range []client.Option{
		client.WithQueue(4, 1<<20, 2*time.Second),
		client.WithQueue(1000, 600, 2*time.Second), // bytes
	} {
		synctest.Test(t, func(t *testing.T) {
			p, unsubscribed := generous(t, 200)
			c := dialPipe(t, p, queue)
			next, stop := iter.Pull2(c.Call(context.Background(), "x.many", nil))
			defer stop()
			next()
			synctest.Wait()

			// Another call waits for it, but not for ever.
			begun := time.Now()
			if n, err := client.CallOne[int](context.Background(), c, "x.one", nil); err != nil || n != 0 {
				t.Errorf("got %v, %v", n, err)
			}
			if d := time.Since(begun); d != 2*time.Second {
				t.Errorf("it took %v", d)
			}
			synctest.Wait()
			if unsubscribed.Load() != 1 {
				t.Error("the hub was not told")
			}
			n := 1
			var last error
			for ; last == nil; n++ {
				var ok bool
				if _, last, ok = next(); !ok {
					t.Fatal("the range has ended without an error")
				}
			}
			var call *client.CallError
			if !errors.Is(last, client.ErrSlow) || !errors.As(last, &call) || !call.Sent || n < 4 || n > 10 {
				t.Errorf("got %v after %d items", last, n)
			}
		})
	}
}

// TestSlowAmongOthers takes items slowly while there are other calls: it may
// hold them up for a while, but not at every item.
func TestSlowAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := generous(t, 1000)
		c := dialPipe(t, p, client.WithQueue(4, 1<<20, 2*time.Second))
		slow := make(chan error)
		go func() {
			var last error
			for _, err := range c.Call(context.Background(), "x.many", nil) {
				last = err
				time.Sleep(500 * time.Millisecond)
			}
			slow <- last
		}()
		synctest.Wait()
		begun := time.Now()
		if _, err := client.CallOne[int](context.Background(), c, "x.one", nil); err != nil {
			t.Error(err)
		}
		if d := time.Since(begun); d > 3*time.Second {
			t.Errorf("it took %v", d)
		}
		if err := <-slow; !errors.Is(err, client.ErrSlow) {
			t.Errorf("got %v", err)
		}
	})
}

// TestBreakWhileFull breaks off a range whose queue holds up the reader.
func TestBreakWhileFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, unsubscribed := generous(t, 200)
		c := dialPipe(t, p, client.WithQueue(4, 1<<20, time.Hour))
		for range c.Call(context.Background(), "x.many", nil) {
			synctest.Wait()
			break
		}
		begun := time.Now()
		if _, err := client.CallOne[int](context.Background(), c, "x.one", nil); err != nil || time.Since(begun) != 0 {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		synctest.Wait()
		if unsubscribed.Load() != 1 {
			t.Error("the hub was not told")
		}
	})
}

// TestCloseWhileFull closes a client whose reader waits for a range.
func TestCloseWhileFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := generous(t, 200)
		c := dialPipe(t, p, client.WithQueue(4, 1<<20, time.Hour))
		next, stop := iter.Pull2(c.Call(context.Background(), "x.many", nil))
		defer stop()
		next()
		synctest.Wait()
		begun := time.Now()
		c.Close()
		if d := time.Since(begun); d > time.Second {
			t.Errorf("it took %v", d)
		}
		var last error
		for ok := true; ok && last == nil; {
			_, last, ok = next()
		}
		if !errors.Is(last, client.ErrClosed) {
			t.Errorf("got %v", last)
		}
	})
}
