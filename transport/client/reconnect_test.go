// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/transport/client"
)

// The hub is away for ten minutes, twice.
func TestWaitsGrowAtRandomAndBeginAnewAfterALongConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, func(c *peer) { c.Info("h"); c.Gone() })
		dialPipe(t, p, client.WithBackoff(100*time.Millisecond, 30*time.Second))
		grows := func() {
			t.Helper()
			last := time.Now()
			p.Dials()
			p.SetDown(true)
			p.Cut()
			time.Sleep(10 * time.Minute)
			want := 100 * time.Millisecond
			n := 0
			for _, at := range p.Dials() {
				wait := at.Sub(last)
				if wait < want/2 || wait > want {
					t.Errorf("attempt %d: waited %v, want %v to %v", n, wait, want/2, want)
				}
				last, want, n = at, min(2*want, 30*time.Second), n+1
			}
			if n < 25 || n > 60 {
				t.Errorf("%d attempts in ten minutes", n)
			}
		}
		grows()
		p.SetDown(false)
		time.Sleep(6 * time.Minute) // connected again, for long enough
		grows()
	})
}

func TestWaitsGrowWhereEachConnectionIsClosedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, func(c *peer) { c.Info("h") })
		dialPipe(t, p)
		time.Sleep(5 * time.Minute)
		if n := len(p.Dials()); n < 10 || n > 40 {
			t.Errorf("%d connections in five minutes", n)
		}
	})
}

func TestCallsWaitForAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names atomic.Int64
		p := pretendByPipe(t, func(c *peer) {
			name := fmt.Sprint("h", names.Add(1)) // restarted under another one
			c.Info(name)
			if r := c.Called("7"); r != nil && r.Method != name+".call" {
				t.Errorf("the client called %s of %s", r.Method, name)
			}
			c.Item("7", data("1"))
			c.Item("7", done)
			c.Gone()
		})
		c := dialPipe(t, p)
		p.SetDown(true)
		p.Cut()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := callOne(ctx, c, "x.y"); !callFailed(err, context.DeadlineExceeded, false, true) || !dialFailed(err) {
			t.Errorf("got %v", err)
		}

		time.AfterFunc(time.Minute, func() { p.SetDown(false) })
		if n, err := callOne(context.Background(), c, "x.y"); err != nil || n != 1 || c.Hub() != "h2" {
			t.Errorf("got %v, %v of %s", n, err, c.Hub())
		}
	})
}

// lossy is a hub that loses each of its first connections after a call and so
// many items.
func lossy(t *testing.T, connections, items int) (p *testkit.Pipes, calls *atomic.Int64) {
	calls = new(atomic.Int64)
	p = pretendByPipe(t, func(c *peer) {
		c.Info("h")
		for r := c.Called("7"); r != nil; r = c.Called("7") {
			n := int(calls.Add(1))
			for i := range items {
				c.Item("7", data(fmt.Sprint(i)))
			}
			if n <= connections {
				return
			}
			c.Item("7", data("100"))
			c.Item("7", done)
		}
	})
	return p, calls
}

func TestOnlyIdempotentCallsAreRepeated(t *testing.T) {
	tests := []struct {
		name               string
		connections, items int
		options            []client.CallOption
		seen               string
		calls              int64
		repeatable         bool // of the error; there is none where all was seen
	}{
		{"one that writes is not repeated", 1, 0, nil, "[]", 1, false},
		{"one that is idempotent is", 1, 0, []client.CallOption{client.Idempotent()}, "[100]", 2, false},
		{"but not after an item", 1, 1, []client.CallOption{client.Idempotent()}, "[0]", 1, true},
		{"three times", 3, 0, []client.CallOption{client.Idempotent()}, "[100]", 4, false},
		{"and not more often", 99, 0, []client.CallOption{client.Idempotent()}, "[]", 4, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, calls := lossy(t, test.connections, test.items)
				c := dialPipe(t, p)
				seen, err := gathered(c.Call(context.Background(), "x.y", nil, test.options...))
				if fmt.Sprint(seen) != test.seen || calls.Load() != test.calls {
					t.Errorf("saw %v in %d calls; want %v in %d", seen, calls.Load(), test.seen, test.calls)
				}
				if test.seen == "[100]" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !callFailed(err, client.ErrLost, true, test.repeatable) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestOwnMethodsAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, func(c *peer) { c.Info("h"); c.Info("h") })
		c := dialPipe(t, p)
		for range 2 {
			if info, err := c.Info(context.Background()); err != nil || info.Name != "h" {
				t.Errorf("got %v, %v", info, err)
			}
		}
		if n := len(p.Dials()); n < 2 {
			t.Errorf("%d connections", n)
		}
	})
}

// The hub does not read at first, so that the calls are queued.
func TestQueuedCallsAreSentOnceAndOnlyWhileTheyAreWanted(t *testing.T) {
	for name, lost := range map[string]bool{"through the next connection": true, "when the hub reads again": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var connections atomic.Int64
				p := pretendByPipe(t, func(c *peer) {
					c.Info("h")
					if connections.Add(1) == 1 {
						time.Sleep(5 * time.Second)
						if lost {
							return
						}
					}
					for r := c.Called("7"); r != nil; r = c.Called("7") {
						if r.Params.Method == "x.withdrawn" {
							t.Error("it was sent")
						}
						c.Item("7", data("1"))
						c.Item("7", done)
					}
				})
				c := dialPipe(t, p)
				first := make(chan error)
				go func() {
					_, err := callOne(context.Background(), c, "x.first")
					first <- err
				}()
				synctest.Wait() // the pipe holds nothing: the writer is stuck

				// One gives up while it is queued, the other goes through.
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if _, err := callOne(ctx, c, "x.withdrawn"); !callFailed(err, context.DeadlineExceeded, false, true) {
					t.Errorf("got %v", err)
				}
				if n, err := callOne(context.Background(), c, "x.last"); err != nil || n != 1 {
					t.Errorf("got %v, %v", n, err)
				}
				if err := <-first; lost && !callFailed(err, client.ErrLost, true, false) || !lost && err != nil {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// A silent hub is pinged; one that does not answer that is lost.
func TestADeadHubIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		options  []client.Option
		pongs    int // before it is dead
		min, max time.Duration
	}{
		"after 70 seconds":         {nil, 10, 5 * time.Minute, 8 * time.Minute},
		"after a time that is set": {[]client.Option{client.WithKeepAlive(time.Second, 3*time.Second)}, 0, 0, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pings := 0
				p := pretendByPipe(t, func(c *peer) {
					c.Info("h")
					pong := c.PingHandler()
					c.SetPingHandler(func(data string) error {
						if pings++; pings > test.pongs {
							return nil // dead from now on
						}
						return pong(data)
					})
					c.Called("7")
					c.Gone()
				})
				c := dialPipe(t, p, append(test.options, client.WithoutReconnect())...)
				begun := time.Now()
				for range 2 {
					_, err := callOne(context.Background(), c, "x.y")
					if d := time.Since(begun); !errors.Is(err, client.ErrLost) || d < test.min || d > test.max {
						t.Errorf("after %v: %v", d, err)
					}
				}
			})
		})
	}
}

func TestAHubThatSendsNonsenseAndDoesNotReadIsLostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, func(c *peer) {
			c.Info("h")
			time.Sleep(time.Second)
			c.Send("nonsense")
			time.Sleep(time.Minute)
		})
		c := dialPipe(t, p, client.WithoutReconnect())
		begun := time.Now()
		_, err := callOne(context.Background(), c, "x.y")
		if d := time.Since(begun); !errors.Is(err, client.ErrProtocol) || d > 2*time.Second {
			t.Errorf("after %v: %v", d, err)
		}
	})
}

func TestDialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, (*peer).Gone)
		begun := time.Now()
		_, err := client.Dial(context.Background(), "ws://pipe", byPipe(p), client.WithProxy(nil), client.WithDialTimeout(3*time.Second))
		var dial *client.DialError
		if d := time.Since(begun); d != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &dial) || dial.Step != client.StepInfo {
			t.Errorf("after %v: %v", d, err)
		}
	})
}

func TestCloseEndsCallsWithinASecond(t *testing.T) {
	tests := []struct {
		name   string
		script func(c *peer)
		cut    bool
		max    time.Duration
	}{
		{"the hub answers", func(c *peer) { c.Info("h"); c.Called("7"); c.Gone() }, false, 0},
		{"the hub does not read", func(c *peer) { c.Info("h"); time.Sleep(time.Minute) }, false, time.Second},
		{"the hub reads a call and stops", func(c *peer) { c.Info("h"); c.Called("7"); time.Sleep(time.Minute) }, false, time.Second},
		{"the hub is away", func(c *peer) { c.Info("h"); c.Called("7"); c.Gone() }, true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pretendByPipe(t, test.script)
				c := dialPipe(t, p)
				result := make(chan error)
				go func() {
					_, err := gathered(c.Call(context.Background(), "x.y", nil))
					result <- err
				}()
				synctest.Wait()
				want := client.ErrClosed
				if test.cut {
					p.SetDown(true)
					p.Cut()
					want = client.ErrLost
					time.Sleep(time.Second)
				}
				begun := time.Now()
				go c.Close()
				if err := <-result; !errors.Is(err, want) {
					t.Errorf("got %v", err)
				}
				c.Close() // twice is once
				if d := time.Since(begun); d > test.max {
					t.Errorf("it took %v", d)
				}
				if _, err := callOne(context.Background(), c, "x.y"); !callFailed(err, client.ErrClosed, false, true) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestCallsGoOnAfterRestarts(t *testing.T) {
	h := serve(t, "")
	c := dial(t, h.URL, client.WithBackoff(time.Millisecond, 10*time.Millisecond))
	ask := func() error {
		_, err := client.CallOne[echo.Echo](testkit.Context(t), c, "echo.once", object{"message": "hi"}, client.Idempotent())
		return err
	}
	for range 3 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		if err := h.Stop(); err != nil {
			t.Fatal(err)
		}
		h = serve(t, h.Addr)
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
}
