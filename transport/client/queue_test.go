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

func TestASlowRangeAloneLosesNothing(t *testing.T) {
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

// What came before that can still be taken.
func TestARangeThatTakesNothingFails(t *testing.T) {
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

			// Another call waits for it, but only so long.
			begun := time.Now()
			if n, err := callOne(context.Background(), c, "x.one"); err != nil || n != 0 {
				t.Errorf("got %v, %v", n, err)
			}
			if d := time.Since(begun); d != 2*time.Second {
				t.Errorf("it took %v", d)
			}
			synctest.Wait()
			if unsubscribed.Load() != 1 {
				t.Error("the hub got no unsubscription")
			}
			n := 1
			var last error
			for ; last == nil; n++ {
				var ok bool
				if _, last, ok = next(); !ok {
					t.Fatal("the range has ended without an error")
				}
			}
			if !callFailed(last, client.ErrSlow, true, false) || n < 4 || n > 10 {
				t.Errorf("got %v after %d items", last, n)
			}
		})
	}
}

// It may hold up other calls for a while, but not at every item.
func TestASlowRangeAmongOtherCallsFails(t *testing.T) {
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
		if _, err := callOne(context.Background(), c, "x.one"); err != nil {
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

func TestARangeCanBeBrokenOffWhileItsQueueIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, unsubscribed := generous(t, 200)
		c := dialPipe(t, p, client.WithQueue(4, 1<<20, time.Hour))
		for range c.Call(context.Background(), "x.many", nil) {
			synctest.Wait()
			break
		}
		begun := time.Now()
		if _, err := callOne(context.Background(), c, "x.one"); err != nil || time.Since(begun) != 0 {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		synctest.Wait()
		if unsubscribed.Load() != 1 {
			t.Error("the hub got no unsubscription")
		}
	})
}

func TestAClientCanBeClosedWhileAQueueIsFull(t *testing.T) {
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
