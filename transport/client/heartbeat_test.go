// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/transport/client"
)

// A line that is cut without a word: calls wait, which asks for a ping, and then
// another connection is made. A hub that is only busy answers in the end.
func TestCallsThatWaitNoticeASilentLine(t *testing.T) {
	for name, resumes := range map[string]bool{"it is cut": false, "it is busy": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var connections atomic.Int32
				p := pretendByPipe(t, func(c *peer) {
					first := connections.Add(1) == 1
					c.Info("h")
					for n := 1; ; n++ {
						subscription := fmt.Sprint(n)
						if c.Called(subscription) == nil {
							return
						}
						if first && n == 2 {
							if !resumes {
								time.Sleep(time.Hour)
								return
							}
							time.Sleep(20 * time.Second)
						}
						c.Item(subscription, data("1"))
						c.Item(subscription, done)
					}
				})
				c := dialPipe(t, p)
				for range 2 {
					time.Sleep(5 * time.Minute)
					if _, err := callOne(t.Context(), c, "x.y"); err != nil && connections.Load() == 1 {
						t.Fatal(err)
					}
					if connections.Load() > 1 {
						break
					}
					busy := make(chan error, 1)
					begun := time.Now()
					go func() { _, err := callOne(context.Background(), c, "x.y"); busy <- err }()
					synctest.Wait()
					for failures := 0; ; failures++ {
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						_, err := callOne(ctx, c, "x.y")
						cancel()
						if err == nil {
							break
						}
						if took := time.Since(begun); took > 6*time.Second {
							t.Fatalf("after %v: %v", took, err)
						}
					}
					if err := <-busy; (err == nil) != resumes {
						t.Errorf("the call that was made before: %v", err)
					}
				}
				if n := connections.Load(); n != 2 {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

// A hub that answers no pings, though it should, and takes its time: every call is
// answered, through whichever connection.
func TestLongCallsOfAHubWithoutPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, func(c *peer) {
			c.Info("h")
			c.SetPingHandler(func(string) error { return nil })
			for n := 1; c.Called(fmt.Sprint(n)) != nil; n++ {
				time.Sleep(10 * time.Second)
				c.Item(fmt.Sprint(n), data("1"))
				c.Item(fmt.Sprint(n), done)
			}
		})
		c := dialPipe(t, p)
		var calls sync.WaitGroup
		for range 4 {
			calls.Go(func() {
				if _, err := callOne(context.Background(), c, "x.y"); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(4 * time.Second)
		}
		calls.Wait()
	})
}

// The whole machine pauses, and takes no other connection meanwhile.
func TestCallsGoOnAfterAPauseOfTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, func(c *peer) {
			c.Info("h")
			for n := 1; c.Called(fmt.Sprint(n)) != nil; n++ {
				c.Item(fmt.Sprint(n), data("1"))
				c.Item(fmt.Sprint(n), done)
			}
		})
		c := dialPipe(t, p)
		for range 3 {
			p.Stall()
			time.AfterFunc(40*time.Second, p.Resume)
			if _, err := callOne(context.Background(), c, "x.y"); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
		}
	})
}

// With calls on a connection that was replaced, too.
func TestCloseAfterALineWasCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var connections atomic.Int32
		p := pretendByPipe(t, func(c *peer) {
			first := connections.Add(1) == 1
			c.Info("h")
			for n := 1; c.Called(fmt.Sprint(n)) != nil; n++ {
				if first {
					time.Sleep(time.Hour)
				}
				c.Item(fmt.Sprint(n), data("1"))
				c.Item(fmt.Sprint(n), done)
			}
		})
		c := dialPipe(t, p)
		cut := make(chan error, 1)
		go func() { _, err := callOne(context.Background(), c, "x.y"); cut <- err }()
		time.Sleep(10 * time.Second)
		if _, err := callOne(context.Background(), c, "x.y"); err != nil || connections.Load() != 2 {
			t.Errorf("%d connections, %v", connections.Load(), err)
		}
		begun := time.Now()
		c.Close()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("closing took %v", took)
		}
		if err := <-cut; !callFailed(err, client.ErrClosed, true, false) {
			t.Errorf("got %v", err)
		}
	})
}
