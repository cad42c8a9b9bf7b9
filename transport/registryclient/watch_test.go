// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// watching returns what a Watch yields, in words.
func watching(t testing.TB, via *route) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	yielded, ended := make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range registryclient.Watch(ctx, url, via.options()...) {
			if err != nil {
				yielded <- "lost"
				continue
			}
			words := []string{string(e.Kind)}
			for _, b := range e.Backends {
				words = append(words, b.Name)
			}
			if e.Name != "" {
				words = append(words, e.Name)
			}
			if e.Backend.Port != 0 {
				words = append(words, fmt.Sprint(e.Backend.Port))
			}
			yielded <- strings.Join(words, " ")
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return yielded
}

func wants(t testing.TB, yielded <-chan string, want ...string) {
	t.Helper()
	var got []string
	for range want {
		select {
		case s := <-yielded:
			got = append(got, s)
		case <-time.After(testkit.Patience):
			t.Fatalf("after %q nothing came; want %q", got, want)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWatchYieldsAListAndEveryChange(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		s.call("register", object{"name": "alpha", "host": "h", "port": 1})
		yielded := watching(t, s.route)
		wants(t, yielded, "backends alpha")
		s.call("register", object{"name": "beta", "host": "h", "port": 2})
		s.call("update", object{"name": "beta", "port": 3})
		s.call("deregister", object{"name": "alpha"})
		s.call("delete", object{"name": "alpha"})
		wants(t, yielded, "backend_registered beta 2", "backend_updated beta 3", "backend_deregistered alpha", "backend_deleted alpha")
		// After a restart it is listed again, whatever its revisions are.
		s.kill()
		wants(t, yielded, "lost")
		s.start()
		s.call("register", object{"name": "gamma", "host": "h", "port": 4})
		first := <-yielded
		if first == "backends" { // it was quicker than gamma
			wants(t, yielded, "backend_registered gamma 4")
		} else if first != "backends gamma" {
			t.Errorf("got %q", first)
		}
	})
}

// The position is that of the stopped one, which nobody else has gone on from.
func TestWatchYieldsOnlyWhatWasMissedWhileTheRegistryWasRestarted(t *testing.T) {
	withDatabase(t, "registry.db", func(t *testing.T, s *registryServer) {
		s.call("register", object{"name": "alpha", "host": "h", "port": 1})
		yielded := watching(t, s.route)
		wants(t, yielded, "backends alpha")
		s.kill()
		wants(t, yielded, "lost")
		s.pipes.SetDown(true)
		s.start()
		if _, err := s.store.Apply(t.Context(), storage.Write{Cause: "backend_registered", Backend: storage.Backend{
			ID: "b", Name: "beta", Host: "h", Port: 2, Protocol: "ws"}}); err != nil {
			t.Fatal(err)
		}
		s.pipes.SetDown(false)
		wants(t, yielded, "backend_registered beta 2", "resumed")
	})
}

// Its revisions have the numbers of what is lost.
func TestWatchListsARegistryThatWasRestoredFromACopy(t *testing.T) {
	withDatabase(t, "registry.db", func(t *testing.T, s *registryServer) {
		s.call("register", object{"name": "alpha", "host": "h", "port": 1})
		s.kill()
		copied, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		s.start()
		yielded := watching(t, s.route)
		wants(t, yielded, "backends alpha")
		s.call("update", object{"name": "alpha", "port": 2})
		wants(t, yielded, "backend_updated alpha 2")
		s.kill()
		wants(t, yielded, "lost")
		s.pipes.SetDown(true)
		if err := os.WriteFile(s.path, copied, 0o600); err != nil {
			t.Fatal(err)
		}
		s.start()
		for port := range 3 {
			if _, err := s.store.Apply(t.Context(), storage.Write{Backend: storage.Backend{
				ID: "b", Name: "beta", Host: "h", Port: port + 1, Protocol: "ws"}}); err != nil {
				t.Fatal(err)
			}
		}
		s.pipes.SetDown(false)
		wants(t, yielded, "backends alpha beta")
	})
}

func TestWatchYieldsOnlyWhatWasMissedAfterTheNetworkWasCut(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		s.call("register", object{"name": "alpha", "host": "h", "port": 1})
		yielded := watching(t, s.route)
		wants(t, yielded, "backends alpha")
		time.Sleep(time.Minute) // it has been up for some time
		s.call("register", object{"name": "alpha", "host": "h", "port": 2})
		wants(t, yielded, "backend_registered alpha 2")
		time.Sleep(time.Minute)
		s.pipes.CutAll()
		wants(t, yielded, "lost")
		s.call("register", object{"name": "alpha", "host": "h", "port": 3})
		s.call("register", object{"name": "beta", "host": "h", "port": 4})
		wants(t, yielded, "backend_registered alpha 3", "backend_registered beta 4", "resumed")
		s.pipes.CutAll()
		wants(t, yielded, "lost", "resumed")
		s.call("delete", object{"name": "beta"})
		wants(t, yielded, "backend_deleted beta")
	})
}

// cutConn fails once so many bytes were read.
type cutConn struct {
	net.Conn
	left *atomic.Int64
}

func (c cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left.Add(-int64(n)) < 0 {
		c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func TestWatchLosesNoNameOfAChangeWithinWhichItIsCutOff(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		const names = 40
		change := func(port int) {
			writes := make([]storage.Write, names)
			for i := range writes {
				name := fmt.Sprint("n", i)
				writes[i].Backend = storage.Backend{ID: name, Name: name, Host: "h", Port: port, Protocol: "ws"}
			}
			if _, err := s.store.Apply(t.Context(), writes...); err != nil {
				t.Fatal(err)
			}
		}
		var left atomic.Int64
		left.Store(math.MaxInt64)
		dial := client.WithNetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.pipes.Dial(ctx, network, address)
			return cutConn{clientConn{conn, s.route}, &left}, err
		})
		next, stop := iter.Pull2(registryclient.Watch(t.Context(), url, client.WithProxy(nil), dial))
		defer stop()
		next()
		time.Sleep(time.Minute) // it has been up for some time
		for i, passes := range []int64{3_000, 6_000, 10_000} {
			change(2*i + 1)
			for range names {
				next()
			}
			left.Store(passes)
			change(2*i + 2)
			ports, cut := map[string]int{}, -1
			for {
				e, err, ok := next()
				if !ok || e.Kind == registryclient.EventResumed || e.Kind == registryclient.EventListed {
					break
				}
				if err != nil {
					cut = len(ports)
					left.Store(math.MaxInt64)
					continue
				}
				ports[e.Name] = e.Backend.Port
			}
			old := slices.ContainsFunc(slices.Collect(maps.Values(ports)), func(port int) bool { return port != 2*i+2 })
			if cut <= 0 || cut == names || len(ports) != names || old {
				t.Errorf("cut off after %d of %d names: then there are %v", cut, names, ports)
			}
		}
	})
}

func TestWatchCanBeBrokenOff(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		for e, err := range registryclient.Watch(testkit.Context(t), url, s.options()...) {
			if err != nil || e.Kind != registryclient.EventListed {
				t.Errorf("got %+v, %v", e, err)
			}
			break
		}
		s.kill()
		for _, err := range registryclient.Watch(testkit.Context(t), url, s.options()...) {
			if err == nil {
				t.Error("there is no registry")
			}
			break
		}
		for _, err := range registryclient.Watch(testkit.Context(t), "http://x") {
			if err == nil {
				t.Error("the address makes no sense")
			}
		}
	})
}

func TestWatchFailsAtOnceWhereToTryAgainWouldNotHelp(t *testing.T) {
	failure := func(code string) string {
		return `"type":"error",` + meta + `,"message":"no","code":"` + code + `","recoverable":false`
	}
	list := func(n int) string {
		entry := `{"name":"alpha","host":"h","port":1}`
		return data(`{"type":"backends","backends":[` + strings.Repeat(entry+",", n-1) + entry + `],"revision":1}`)
	}
	for name, answer := range map[string]string{
		"wrong parameters":  failure("-32602"),
		"not authenticated": failure("-32001"),
		"not allowed":       failure("-32003"),
		"unknown":           failure("-32601"),
		"too many entries":  list(1<<16 + 1),
		"too long":          data(`"` + strings.Repeat("x", 5<<20) + `"`),
	} {
		t.Run(name, func(t *testing.T) {
			p := pretend(t, func(c *peer) {
				c.Info("h")
				c.Called("7")
				c.Item("7", answer)
				c.Gone()
			})
			n := 0
			for e, err := range registryclient.Watch(testkit.Context(t), url, p.options(client.WithMessageLimit(4<<20))...) {
				if n++; !errors.Is(err, registryclient.ErrNoWatch) || n > 1 {
					t.Errorf("got %+v, %v", e, err)
					break
				}
			}
			if n != 1 {
				t.Errorf("the range has %d elements", n)
			}
		})
	}
}

func TestTheRegistryIsListedAgainWhereTheWatchCannotResume(t *testing.T) {
	const list = `{"type":"backends","backends":[{"name":"alpha","host":"h","port":1},{"name":"unusable"}],"revision":%d%s}`
	status := func(uptime, revision int) string {
		return data(fmt.Sprintf(`{"type":"status","uptime_seconds":%d,"revision":%d}`, uptime, revision))
	}
	in := func(history string, revision int) string {
		return data(fmt.Sprintf(`{"type":"status","uptime_seconds":3600,"revision":%d,"history":%q}`, revision, history))
	}
	noStatus := `"type":"error",` + meta + `,"message":"Method not found: registry.status","code":"-32601","recoverable":false`
	tests := map[string]struct {
		history string // where the revisions counted
		status  string
		resumes bool
		want    []string
	}{
		"the changes are gone":     {"", status(3600, 9), true, []string{"backends alpha"}},
		"it was restarted":         {"", status(30, 9), false, []string{"backends alpha"}},
		"its revision is older":    {"", status(3600, 3), false, []string{"backends alpha"}},
		"it does not say":          {"", noStatus, false, []string{"backends alpha"}},
		"nothing was missed":       {"", status(3600, 7), true, []string{"resumed", "backends alpha"}},
		"it answers with a riddle": {"", data(`{"type":"riddle"}`), false, []string{"lost"}},
		// A registry that was restored from a copy counts the same numbers anew.
		"another history":                  {"a", in("b", 9), true, []string{"backends alpha"}},
		"another history, as far":          {"a", in("b", 7), false, []string{"backends alpha"}},
		"another history, less far":        {"a", in("b", 3), false, []string{"backends alpha"}},
		"the same history, as far":         {"a", in("a", 7), true, []string{"resumed", "backends alpha"}},
		"it knows nothing of histories":    {"a", status(30, 9), false, []string{"backends alpha"}},
		"it did not, and now it does":      {"", in("b", 9), true, []string{"backends alpha"}},
		"the same history, changes missed": {"a", in("a", 9), true, []string{"backends alpha"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				connections := 0
				history := ""
				if test.history != "" {
					history = fmt.Sprintf(`,"history":%q`, test.history)
				}
				p := pretend(t, func(c *peer) {
					c.Info("h")
					if connections++; connections > 1 {
						if r := c.Called("5"); r == nil || r.Params.Method != "registry.status" {
							t.Errorf("the client sent %v", r)
							return
						}
						c.Item("5", test.status)
						c.Item("5", done)
					}
					r := c.Called("6")
					if r == nil {
						return
					}
					if resumes := strings.Contains(r.Text, `"after":7`); resumes != (test.resumes && connections > 1) {
						t.Errorf("the client sent %s", r.Text)
					} else if resumes {
						if strings.Contains(r.Text, `"history":"a"`) != (test.history != "") || strings.Contains(r.Text, `"history":"b"`) {
							t.Errorf("the client sent %s", r.Text)
						}
						c.Item("6", data(`{"type":"error","message":"Revision 7 can't be resumed from"}`))
						c.Item("6", done)
						for r = c.Called("7"); r != nil && r.Method == "h.call_unsub"; {
							r = c.Called("7")
						}
						c.Item("7", data(fmt.Sprintf(list, 9, history)))
						c.Gone()
						return
					}
					c.Item("6", data(fmt.Sprintf(list, 6, history)))
					c.Item("6", `"type":"error",`+meta+`,"message":"for a moment","recoverable":true`)
					c.Item("6", data(`{"type":"backend_reviewed","name":"alpha","revision":8}`))
					c.Item("6", data(`{"type":"backend_updated","backend":{"name":"alpha","host":"h","port":2},"revision":7`+history+`}`))
					c.Gone()
				})
				yielded := watching(t, p)
				wants(t, yielded, "backends alpha", "backend_updated alpha 2")
				time.Sleep(time.Minute)
				p.pipes.Cut()
				wants(t, yielded, "lost")
				if test.want[0] == "lost" {
					time.Sleep(time.Minute) // once is enough
					if len(yielded) != 0 {
						t.Errorf("it has yielded %q", <-yielded)
					}
					return
				}
				wants(t, yielded, test.want...)
			})
		})
	}
}
