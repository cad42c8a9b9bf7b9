// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// resolver makes a Resolver that is closed when the test ends.
func resolver(t testing.TB, via *route, options ...client.Option) *registryclient.Resolver {
	t.Helper()
	r, err := registryclient.NewResolver(url, via.options(options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// resolves checks where alpha is.
func resolves(t *testing.T, r *registryclient.Resolver, host string, stale bool) {
	t.Helper()
	if b, err := r.Resolve(context.Background(), "alpha"); err != nil || b.Host != host || b.Stale != stale {
		t.Errorf("got %+v, %v; want %s, stale %v", b, err, host, stale)
	}
}

// becomes waits until alpha is known to be there, for no longer than is promised.
func becomes(t *testing.T, r *registryclient.Resolver, host string) {
	t.Helper()
	soon(t, "alpha is at "+host, func() bool {
		b, err := r.Resolve(testkit.Context(t), "alpha")
		return err == nil && b.Host == host && !b.Stale
	})
}

func TestAResolverSeesEveryChange(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		r := resolver(t, s.route)
		time.Sleep(10 * time.Millisecond)
		if _, err := r.Resolve(testkit.Context(t), "alpha"); !errors.Is(err, registryclient.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		// Every change is seen soon, without asking.
		resolvesTo := func(url string, want error) func() bool {
			return func() bool {
				b, err := r.Resolve(testkit.Context(t), "alpha")
				return errors.Is(err, want) && !b.Stale && (url == "" || b.URL() == url)
			}
		}
		hub := s.register(t, alpha())
		testkit.Eventually(t, "it is known", resolvesTo("ws://127.0.0.1:4444", nil))
		s.call("update", object{"name": "alpha", "host": "::1", "protocol": "wss"})
		testkit.Eventually(t, "it has moved", resolvesTo("wss://[::1]:4444", nil))
		s.call("update", object{"name": "alpha", "host": "127.0.0.1", "protocol": "ws"})
		hub.Close()
		testkit.Eventually(t, "it is inactive", resolvesTo("ws://127.0.0.1:4444", registryclient.ErrInactive))
		s.call("delete", object{"name": "alpha"})
		testkit.Eventually(t, "it is gone", resolvesTo("", registryclient.ErrUnknown))
		r.Close()
		if _, err := r.Resolve(testkit.Context(t), "alpha"); !errors.Is(err, client.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if r, err := registryclient.NewResolver("nonsense"); r != nil || err == nil {
			t.Errorf("got %v, %v", r, err)
		}
	})
}

func TestANameIsResolvedHoweverItIsComposed(t *testing.T) {
	const composed, decomposed = "café", "cafe\u0301"
	withRegistry(t, func(t *testing.T, s *registryServer) {
		g := alpha()
		g.Name = decomposed
		hub := s.register(t, g)
		r := resolver(t, s.route)
		time.Sleep(10 * time.Millisecond)
		for _, name := range []string{composed, decomposed} {
			if b, err := r.Resolve(testkit.Context(t), name); err != nil || b.Name != composed {
				t.Errorf("%q: got %+v, %v", name, b, err)
			}
		}
		hub.Close()
		if b := s.entries()[composed]; b.Active || b.Name != composed {
			t.Errorf("it is closed, but registered as %+v", b)
		}
	})
	// Other registries keep names as they were sent.
	synctest.Test(t, func(t *testing.T) {
		p := pretend(t, registryThat(func(method string) string {
			if method == "registry.get" {
				return data(`{"type":"backend","backend":{"name":"` + decomposed + `","host":"h","port":1,"is_active":true}}`)
			}
			return data(`{"type":"backends","backends":[{"name":"` + decomposed + `","host":"h","port":1,"is_active":true}],"revision":1}`)
		}))
		r := resolver(t, p)
		for range 2 {
			if b, err := r.Resolve(testkit.Context(t), composed); err != nil || b.Host != "h" {
				t.Errorf("got %+v, %v", b, err)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

func TestNamesAreStaleWhileTheRegistryIsAwayAndListedAgainAfterwards(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		s.call("register", object{"name": "alpha", "host": "127.0.0.1", "port": 1})
		s.call("register", object{"name": "beta", "host": "127.0.0.2", "port": 2})
		var log lines
		r := resolver(t, s.route, log.option())
		time.Sleep(10 * time.Millisecond)
		resolves(t, r, "127.0.0.1", false)
		testkit.Eventually(t, "it is watched", func() bool { return log.Count("is watched") == 1 })
		s.kill()
		testkit.Eventually(t, "it is stale", func() bool {
			b, err := r.Resolve(testkit.Context(t), "alpha")
			if err != nil || b.Host != "127.0.0.1" {
				t.Fatalf("got %+v, %v", b, err)
			}
			return b.Stale
		})
		if _, err := r.Resolve(testkit.Context(t), "gamma"); !dialFailed(err) {
			t.Errorf("got %v", err)
		}
		// It is back with an empty database, whose revisions soon have the same
		// numbers as before.
		s.start()
		s.call("register", object{"name": "alpha", "host": "10.0.0.3", "port": 1})
		s.call("register", object{"name": "alpha", "host": "10.0.0.4", "port": 1})
		becomes(t, r, "10.0.0.4")
		testkit.Eventually(t, "beta is forgotten", func() bool {
			_, err := r.Resolve(testkit.Context(t), "beta")
			return errors.Is(err, registryclient.ErrUnknown)
		})
		testkit.Eventually(t, "it is watched again", func() bool { return log.Count("is watched") == 2 })
		if n := log.Count("level="); n != 3 || log.Count("can't be reached") != 1 {
			t.Errorf("the log is %s", &log)
		}
	})
}

func TestAResolverMissesNothingWhenTheNetworkIsCut(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		r := resolver(t, s.route)
		time.Sleep(10 * time.Millisecond)
		for port := range 5 {
			s.call("register", object{"name": "alpha", "host": "127.0.0.1", "port": port + 1})
			time.Sleep(5 * time.Second)
			if b, err := r.Resolve(context.Background(), "alpha"); err != nil || b.Stale || b.Port != port+1 {
				t.Errorf("got %+v, %v", b, err)
			}
			s.pipes.CutAll()
		}
	})
}

func TestTheCacheIsTrustedForAMomentAfterTheConnectionIsLost(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		s.call("register", object{"name": "alpha", "host": "127.0.0.1", "port": 1})
		r := resolver(t, s.route)
		time.Sleep(5 * time.Second)
		s.pipes.SetDown(true)
		s.pipes.CutAll()
		time.Sleep(10 * time.Millisecond)
		for _, stale := range []bool{false, true} {
			resolves(t, r, "127.0.0.1", stale)
			time.Sleep(3 * time.Second)
		}
	})
}

func TestResolveEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretend(t, (*peer).Gone)
		r := resolver(t, p)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := r.Resolve(ctx, "alpha"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNamesAreStaleWhileTheNetworkIsStalled(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		n := s.otherRoute()
		s.call("register", object{"name": "alpha", "host": "127.0.0.1", "port": 1})
		r := resolver(t, n)
		time.Sleep(10 * time.Millisecond)
		resolves(t, r, "127.0.0.1", false)
		n.pipes.Stall()
		testkit.Eventually(t, "it is stale", func() bool {
			b, err := r.Resolve(testkit.Context(t), "alpha")
			if err != nil {
				t.Fatal(err)
			}
			return b.Stale
		})
		s.call("register", object{"name": "alpha", "host": "127.0.0.2", "port": 1})
		n.pipes.Resume()
		becomes(t, r, "127.0.0.2")
	})
}

// Two seconds after the registry was last heard, whatever the line does; a silent one
// is not waited for.
func TestStaleIsSaidInTime(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration // when the line is cut
		cut   func(r *route)
	}{
		"half-open":             {10 * time.Second, func(r *route) { r.pipes.Stall() }},
		"half-open, soon":       {1500 * time.Millisecond, func(r *route) { r.pipes.Stall() }},
		"half-open, and no way": {10 * time.Second, func(r *route) { r.pipes.Stall(); r.pipes.SetDown(true) }},
		"cut":                   {10 * time.Second, func(r *route) { r.pipes.SetDown(true); r.pipes.CutAll() }},
	} {
		t.Run(name, func(t *testing.T) {
			withRegistry(t, func(t *testing.T, s *registryServer) {
				n := s.otherRoute()
				s.call("register", object{"name": "alpha", "host": "127.0.0.1", "port": 1})
				r := resolver(t, n)
				time.Sleep(10 * time.Millisecond)
				for begun := time.Now(); time.Since(begun) < test.after; time.Sleep(50 * time.Millisecond) {
					if b, err := r.Resolve(testkit.Context(t), "alpha"); err != nil || b.Stale {
						t.Fatalf("after %v: got %+v, %v", time.Since(begun), b, err)
					}
				}
				test.cut(n)
				cut := time.Now()
				for stale := false; !stale; time.Sleep(10 * time.Millisecond) {
					begun := time.Now()
					b, err := r.Resolve(testkit.Context(t), "alpha")
					took, since := time.Since(begun), time.Since(cut)
					if stale = b.Stale; err != nil || since > 2100*time.Millisecond || took > 100*time.Millisecond {
						t.Fatalf("%v after the cut, in %v: stale %v, %v", since, took, b.Stale, err)
					}
				}
				for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
					asked := time.Now()
					if b, err := r.Resolve(testkit.Context(t), "alpha"); err != nil || !b.Stale || time.Since(asked) > 2*time.Second {
						t.Fatalf("in %v: got %+v, %v", time.Since(asked), b, err)
					}
				}
			})
		})
	}
}

// A line on which everything takes its time: what arrives is as old as that.
func TestStaleIsSaidOnASlowLine(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		s.call("register", object{"name": "alpha", "host": "127.0.0.1", "port": 1})
		var late atomic.Int64
		r := resolver(t, s.route, client.WithNetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.pipes.Dial(ctx, network, address)
			return lateConn{clientConn{conn, s.route}, &late}, err
		}))
		time.Sleep(5 * time.Second)
		resolves(t, r, "127.0.0.1", false)
		late.Store(int64(2500 * time.Millisecond))
		time.Sleep(2100 * time.Millisecond)
		for range 20 {
			resolves(t, r, "127.0.0.1", true)
			time.Sleep(200 * time.Millisecond)
		}
		late.Store(0)
		time.Sleep(10 * time.Second)
		resolves(t, r, "127.0.0.1", false)
	})
}

// lateConn delivers late.
type lateConn struct {
	clientConn
	late *atomic.Int64
}

func (c lateConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	time.Sleep(time.Duration(c.late.Load()))
	return n, err
}

// A registry with more entries is asked for every name.
func TestTheCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const maxEntries = 1 << 16
		var list strings.Builder
		for i := range maxEntries {
			fmt.Fprintf(&list, `{"name":"b%d","host":"h","port":1,"is_active":true},`, i)
		}
		var connections atomic.Int32
		p := pretend(t, func(c *peer) {
			c.Info("h")
			again := connections.Add(1) > 1
			r := c.Called("1")
			if again { // and resumes nothing, as the cache is not complete
				if r == nil || r.Params.Method != "registry.watch" || strings.Contains(r.Text, "after") {
					t.Errorf("the client sent %v", r)
				}
				c.Gone()
				return
			}
			c.Item("1", data(`{"type":"backends","backends":[`+strings.TrimSuffix(list.String(), ",")+`],"revision":1}`))
			c.Item("1", data(`{"type":"backend_registered","backend":{"name":"b0","host":"h","port":2,"is_active":true},"revision":2}`))
			c.Item("1", data(`{"type":"backend_registered","backend":{"name":"more","host":"h","port":1,"is_active":true},"revision":3}`))
			for r = c.Next(); r != nil; r = c.Next() {
				if r.Params.Method == "registry.get" {
					c.Send(`{"jsonrpc":"2.0","id":%d,"result":2}`, r.ID)
					c.Item("2", data(`{"type":"backend","backend":{"name":"more","host":"asked","port":1,"is_active":true}}`))
					c.Item("2", done)
				}
			}
		})
		var log lines
		r := resolver(t, p, log.option())
		time.Sleep(10 * time.Second) // it is trusted for a while
		if b, err := r.Resolve(context.Background(), "more"); err != nil || b.Host != "asked" {
			t.Errorf("got %+v, %v", b, err)
		}
		if n := log.Count("can't be watched"); n != 1 {
			t.Errorf("the log is %s", &log)
		}
		p.pipes.Cut()
		time.Sleep(10 * time.Second)
		if n := connections.Load(); n != 2 {
			t.Errorf("there were %d connections", n)
		}
	})
}

// An alias leads to the hub under the name that its methods begin with, and who is
// inactive is so for a reason.
func TestResolvedAliasesAndReasons(t *testing.T) {
	resolve := func(t *testing.T, entry, name string) (b registryclient.Resolution, err error) {
		synctest.Test(t, func(t *testing.T) {
			r := resolver(t, pretend(t, registryThat(func(method string) string {
				if method == "registry.get" {
					return data(`{"type":"backend","backend":` + entry + `}`)
				}
				return data(`{"type":"backends","backends":[` + entry + `],"revision":1}`)
			})))
			b, err = r.Resolve(testkit.Context(t), name)
		})
		return b, err
	}
	b, err := resolve(t, `{"name":"prod","host":"h","port":1,"is_active":true,"answers_as":"plexus"}`, "prod")
	if err != nil || b.HubName() != "plexus" || b.Name != "prod" {
		t.Errorf("got %+v, %v", b, err)
	}
	b, err = resolve(t, `{"name":"gone","host":"h","port":1,"is_active":false,"inactive_reason":"expired"}`, "gone")
	if !errors.Is(err, registryclient.ErrInactive) || !strings.Contains(err.Error(), "expired") || b.HubName() != "gone" {
		t.Errorf("got %+v, %v", b, err)
	}
}
