// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

func TestRegisterRejectsInvalidArguments(t *testing.T) {
	change := func(change func(*registryclient.Registration)) registryclient.Registration {
		g := alpha()
		change(&g)
		return g
	}
	tests := map[string]struct {
		url  string
		g    registryclient.Registration
		want string
	}{
		"address": {"http://127.0.0.1:4444", alpha(), "must be a ws:// or wss:// URL"},
		"name":    {"ws://x", change(func(g *registryclient.Registration) { g.Name = "" }), "name"},
		"host":    {"ws://x", change(func(g *registryclient.Registration) { g.Host = "" }), "host"},
		"no TCP": {"ws://x", change(func(g *registryclient.Registration) {
			g.Host, g.Listener = "", &net.UnixAddr{Name: "/x", Net: "unix"}
		}), "host"},
		"all":      {"ws://x", change(func(g *registryclient.Registration) { g.Host = "0.0.0.0" }), "not the address of a machine"},
		"port":     {"ws://x", change(func(g *registryclient.Registration) { g.Port = 65536 }), "65536"},
		"protocol": {"ws://x", change(func(g *registryclient.Registration) { g.Protocol = "http" }), "http"},
		"ttl":      {"ws://x", change(func(g *registryclient.Registration) { g.TTL = time.Second }), "ttl"},
		"half ttl": {"ws://x", change(func(g *registryclient.Registration) { g.TTL = 5500 * time.Millisecond }), "ttl"},
		"metadata": {"ws://x", change(func(g *registryclient.Registration) { g.Metadata = map[string]any{"x": math.NaN()} }), "metadata"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := registryclient.Register(context.Background(), test.url, test.g)
			if r != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
}

// A hub that says no host is registered where it listens; on all interfaces, at the
// address from which it reaches the registry, which may change.
func TestAHubIsRegisteredAtTheAddressThatOthersReach(t *testing.T) {
	tcp := func(address string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)) }
	for name, test := range map[string]struct {
		host     string // what is said
		listener net.Addr
		from     string // where the connection to the registry comes from
		want     string
	}{
		"another machine":             {"", tcp("[::]:4444"), "192.0.2.7:50000", "ws://192.0.2.7:4444"},
		"another machine, mapped":     {"", tcp("[::]:4444"), "[::ffff:192.0.2.7]:50000", "ws://192.0.2.7:4444"},
		"another machine, by IPv4":    {"", tcp("0.0.0.0:4444"), "192.0.2.7:50000", "ws://192.0.2.7:4444"},
		"another machine, by IPv6":    {"", tcp("[::]:4444"), "[2001:db8::7]:50000", "ws://[2001:db8::7]:4444"},
		"another machine, with zone":  {"", tcp("[::]:4444"), "[fe80::7%eth0]:50000", "ws://[fe80::7%25eth0]:4444"},
		"this machine":                {"", tcp("[::]:4444"), "127.0.0.1:50000", "ws://127.0.0.1:4444"},
		"this machine, by IPv6":       {"", tcp("[::]:4444"), "[::1]:50000", "ws://127.0.0.1:4444"},
		"no IPv6 that is listened on": {"", tcp("0.0.0.0:4444"), "[2001:db8::7]:50000", "ws://127.0.0.1:4444"},
		"one interface":               {"", tcp("192.0.2.1:4444"), "192.0.2.7:50000", "ws://192.0.2.1:4444"},
		"one interface, mapped":       {"", tcp("[::ffff:192.0.2.1]:4444"), "192.0.2.7:50000", "ws://192.0.2.1:4444"},
		"loopback":                    {"", tcp("127.0.0.1:4444"), "192.0.2.7:50000", "ws://127.0.0.1:4444"},
		"said":                        {"hub.example", tcp("[::]:4444"), "192.0.2.7:50000", "ws://hub.example:4444"},
		"said in another script":      {"bücher.example", nil, "192.0.2.7:50000", "ws://xn--bcher-kva.example:4444"},
	} {
		t.Run(name, func(t *testing.T) {
			withRegistry(t, func(t *testing.T, s *registryServer) {
				from := tcp(test.from)
				g := registryclient.Registration{Name: "alpha", Host: test.host, Listener: test.listener}
				if test.listener == nil {
					g.Port = 4444
				}
				var log lines
				s.register(t, g, s.comesFrom(&from), log.option())
				if b := s.entries()["alpha"]; b.URL() != test.want || !b.Active {
					t.Errorf("it is registered as %+v, want %s", b, test.want)
				}
				moved := test.want
				if test.want == "ws://192.0.2.7:4444" { // it follows the machine
					from, moved = tcp("192.0.2.8:50000"), "ws://192.0.2.8:4444"
				}
				s.pipes.CutAll()
				time.Sleep(time.Minute)
				if b := s.entries()["alpha"]; b.URL() != moved || !b.Active || log.Count("another hub") > 0 {
					t.Errorf("it is registered as %+v, want %s; the log is %s", b, moved, &log)
				}
			})
		})
	}
}

// comesFrom makes the connections through the route come from an address.
func (r *route) comesFrom(from *net.Addr) client.Option {
	return client.WithNetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := r.pipes.Dial(ctx, network, address)
		return addressedConn{clientConn{conn, r}, *from}, err
	})
}

type addressedConn struct {
	clientConn
	local net.Addr
}

func (c addressedConn) LocalAddr() net.Addr { return c.local }

func TestAHubIsRegisteredUntilItIsClosed(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		var log lines
		g := alpha()
		g.Description, g.Namespace, g.Metadata = "A hub", "ns", map[string]any{"zone": "b"}
		g.SchemaHash = func() string { return "00e9e57b321aa1bc" }
		r := s.register(t, g, log.option())
		b := s.entries()["alpha"]
		var metadata object
		if err := json.Unmarshal(b.Metadata, &metadata); err != nil {
			t.Error(err)
		}
		if !b.Active || b.URL() != "ws://127.0.0.1:4444" || b.Version != "1.2.3" || b.Source != "auto" || b.TTLSeconds != 30 ||
			b.Description != "A hub" || b.Namespace != "ns" || b.ID == "" ||
			metadata["pid"] != float64(os.Getpid()) || metadata["schema_hash"] != "00e9e57b321aa1bc" || metadata["zone"] != "b" {
			t.Errorf("it is registered as %+v, %v", b, metadata)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if b := s.entries()["alpha"]; b.Active || b.Name == "" {
			t.Errorf("it is closed, but registered as %+v", b)
		}
		if err := r.Wait(testkit.Context(t)); !errors.Is(err, client.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if n := log.Count("the hub is registered"); n != 1 || log.Count("registration has ended") != 1 || log.Count("WARN") != 0 {
			t.Errorf("the log is %s", &log)
		}
	})
}

// This is logged once.
func TestAHubIsRegisteredFromTheRegistrysStartToTheEndOfTheContext(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		s.kill()
		var log lines
		ctx, deregister := context.WithCancel(context.Background())
		r, err := registryclient.Register(ctx, url, alpha(), s.options(log.option())...)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		short, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
		defer cancel()
		if err := r.Wait(short); !errors.Is(err, context.DeadlineExceeded) || !dialFailed(err) {
			t.Errorf("got %v", err)
		}
		s.start()
		soon(t, "registered", func() bool { return s.entries()["alpha"].Active })
		if n := log.Count("can't be reached"); n != 1 {
			t.Errorf("it is logged %d times: %s", n, &log)
		}
		deregister()
		testkit.Eventually(t, "it is deregistered", func() bool { return !s.entries()["alpha"].Active })
	})
}

func TestARestartedRegistryGetsTheHubAgain(t *testing.T) {
	for name, database := range map[string]string{"with its database": "registry.db", "without": ":memory:"} {
		t.Run(name, func(t *testing.T) {
			withDatabase(t, database, func(t *testing.T, s *registryServer) {
				var log lines
				r := s.register(t, alpha(), log.option())
				id := s.entries()["alpha"].ID
				for i := range 2 {
					s.kill()
					testkit.Eventually(t, "it is noticed", func() bool { return log.Count("can't be reached") == i+1 })
					s.start()
					soon(t, "registered again", func() bool { return log.Count("is registered") == i+2 })
					all := s.entries()
					b := all["alpha"]
					if len(all) != 1 || !b.Active || b.TTLSeconds != 30 {
						t.Errorf("it is registered as %+v", all)
					}
					if kept := database != ":memory:"; kept != (b.ID == id) {
						t.Errorf("its id was %s and is %s", id, b.ID)
					}
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				s.wants(4444, false, 0)
			})
		})
	}
}

func TestTheLeaseIsRenewed(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		s.register(t, alpha())
		for range 60 {
			time.Sleep(time.Minute)
			if b := s.entries()["alpha"]; !b.Active || time.Now().Unix()-b.LastSeen > 10 {
				t.Fatalf("it is registered as %+v", b)
			}
		}
	})
}

func TestAnEntryThatOthersHaveChangedIsRestored(t *testing.T) {
	tests := map[string]struct {
		method string
		params object
	}{
		"deleted":     {"delete", object{}},
		"deactivated": {"deregister", object{}},
		// As the command line client does with what it has reached.
		"registered without a lease": {"register", object{"host": "localhost", "port": 4444}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			withRegistry(t, func(t *testing.T, s *registryServer) {
				r := s.register(t, alpha())
				test.params["name"] = "alpha"
				s.call(test.method, test.params)
				time.Sleep(10 * time.Second) // until it is renewed
				if b := s.entries()["alpha"]; !b.Active || b.TTLSeconds != 30 || b.Host != "127.0.0.1" {
					t.Errorf("it is registered as %+v", b)
				}
				s.call(test.method, test.params)
				if err := r.Close(); err != nil || s.entries()["alpha"].Active {
					t.Errorf("closed with %v, it is registered as %+v", err, s.entries())
				}
			})
		})
	}
}

func TestAHubWithoutALeaseIsKeptRegistered(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		g := alpha()
		g.TTL = -1
		s.register(t, g)
		for range 2 {
			time.Sleep(time.Hour)
			s.wants(4444, true, 0)
			s.call("delete", object{"name": "alpha"})
			time.Sleep(10 * time.Second)
			s.wants(4444, true, 0)
		}
	})
}

func TestALeaseThatTheRegistryShortensIsRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings atomic.Int32
		p := pretend(t, registryThat(func(method string) string {
			switch method {
			case "registry.register":
				return data(`{"type":"backend_registered","backend":{"name":"alpha","ttl_seconds":6},"lease_id":"x"}`)
			case "registry.ping":
				pings.Add(1)
				return data(`{"type":"ping","success":true}`)
			}
			return data(`{"type":"backend_deregistered"}`)
		}))
		p.register(t, alpha())
		time.Sleep(time.Minute)
		if n := pings.Load(); n < 29 || n > 41 {
			t.Errorf("%d pings in a minute", n)
		}
	})
}

func TestAHashThatHasChangedIsAnnounced(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		var hash atomic.Value
		hash.Store("1111111111111111")
		g := alpha()
		g.SchemaHash = func() string { return hash.Load().(string) }
		s.register(t, g)
		hash.Store("2222222222222222")
		time.Sleep(10 * time.Second)
		if b := s.entries()["alpha"]; !strings.Contains(string(b.Metadata), "2222222222222222") {
			t.Errorf("it is registered as %+v", b)
		}
	})
}

func TestANameIsLeftToAnotherHubUntilThatIsInactive(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		var log lines
		r := s.register(t, alpha(), log.option())
		g := alpha()
		g.Port = 5555
		other := s.register(t, g)
		for range 10 {
			time.Sleep(time.Minute)
			s.wants(5555, true, 30)
		}
		if n := log.Count("another hub is registered"); n != 1 {
			t.Errorf("it is logged %d times: %s", n, &log)
		}
		s.pipes.Cut() // after which it does not take the name back either
		time.Sleep(time.Minute)
		s.wants(5555, true, 30)
		other.Close()
		time.Sleep(10 * time.Second)
		s.wants(4444, true, 30)
		s.register(t, g)
		if err := r.Close(); err != nil { // does not deregister the other hub
			t.Error(err)
		}
		s.wants(5555, true, 30)
	})
}

func TestAHubThatWasRestartedIsNotDeregisteredByItsFormerProcess(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		r := s.register(t, alpha())
		s.call("register", object{"name": "alpha", "host": "127.0.0.1", "port": 4444, "metadata": object{"pid": 1}})
		if err := r.Close(); err != nil || !s.entries()["alpha"].Active {
			t.Errorf("closed with %v, it is registered as %+v", err, s.entries())
		}
	})
}

// The registry is away for an hour.
func TestAttemptsToRegisterAreQuickAtFirstAndNeverFarApart(t *testing.T) {
	for name, silent := range map[string]bool{"nobody listens": false, "nobody answers": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var silence atomic.Bool
				answering := registryThat(func(string) string { return data(`{"type":"backend_registered"}`) })
				p := pretend(t, func(c *peer) {
					if silence.Load() {
						c.Gone()
						return
					}
					answering(c)
				})
				var log lines
				p.register(t, alpha(), log.option())
				p.pipes.Dials()
				silence.Store(silent)
				p.pipes.SetDown(!silent)
				lost := time.Now()
				p.pipes.Cut()
				time.Sleep(time.Hour)
				all := p.pipes.Dials()
				last := lost
				for i, at := range all {
					if wait := at.Sub(last); wait < 50*time.Millisecond || wait > 2500*time.Millisecond {
						t.Errorf("attempt %d: after %v", i, wait)
					}
					last = at
				}
				if !silent && len(all) > 3 && all[2].Sub(lost) > 2*time.Second {
					t.Errorf("the third attempt is after %v", all[2].Sub(lost))
				}
				if len(all) > 5000 {
					t.Errorf("%d attempts in an hour", len(all))
				}
				if n := log.Count("can't be reached"); n != 1 {
					t.Errorf("it is logged %d times", n)
				}
				silence.Store(false)
				p.pipes.SetDown(false)
				time.Sleep(5 * time.Second)
				if n := log.Count("the hub is registered"); n != 2 {
					t.Errorf("it is not registered again: %s", &log)
				}
			})
		})
	}
}

// That it was refused is logged once.
func TestARefusedHubIsRegisteredOnceTheRegistryTakesIt(t *testing.T) {
	refusals := map[string]string{
		"by an error of the stream": `"type":"error",` + meta + `,"message":"no","code":"-32003","recoverable":false`,
		"by an answer":              data(`{"type":"error","message":"no"}`),
		"by nonsense":               data(`[]`),
		"by something else":         data(`{"type":"backends","backends":[]}`),
	}
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var accepts atomic.Bool
				p := pretend(t, registryThat(func(string) string {
					if accepts.Load() {
						return data(`{"type":"backend_registered","backend":{"name":7},"lease_id":"x"}`)
					}
					return refusal
				}))
				var log lines
				r, err := registryclient.Register(context.Background(), url, alpha(), p.options(log.option())...)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				time.Sleep(time.Hour)
				if n := log.Count("level="); n != 1 {
					t.Errorf("the log is %s", &log)
				}
				accepts.Store(true)
				time.Sleep(5 * time.Second)
				if n := log.Count("the hub is registered"); n != 1 {
					t.Errorf("the log is %s", &log)
				}
			})
		})
	}
}
