// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
	"github.com/plexus-go/plexus/transport/websocket"
)

func TestMain(m *testing.M) {
	os.Exit(testkit.Main(m, "plexus/transport/client.", "plexus/transport/registryclient."))
}

// object is a JSON object.
type object = map[string]any

// peer is a fake hub's end of a connection. done, meta and data are fields of
// its items.
type peer = testkit.Peer

const (
	done = testkit.DoneItem
	meta = testkit.ItemMetadata
)

func data(content string) string { return testkit.DataItem(content) }

// dialFailed reports whether there was no connection.
func dialFailed(err error) bool {
	_, ok := errors.AsType[*client.DialError](err)
	return ok
}

// route is a network without sockets that leads to a hub.
type route struct {
	clock chan struct{} // held while something is sent; nil to a fake hub
	pipes *testkit.Pipes
}

func newRoute() *route { return &route{make(chan struct{}, 1), testkit.NewPipes()} }

// pretend starts a fake hub, and returns the route to it. The script is run for
// every connection, which is closed when it returns.
func pretend(t testing.TB, script func(c *peer)) *route {
	r := &route{pipes: testkit.NewPipes()}
	testkit.PretendOn(t, r.pipes, script)
	return r
}

// url is that of every hub: the route decides.
const url = "ws://hub"

// options make a client take the route.
func (r *route) options(more ...client.Option) []client.Option {
	return append([]client.Option{client.WithProxy(nil), client.WithNetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := r.pipes.Dial(ctx, network, address)
		return clientConn{conn, r}, err
	})}, more...)
}

// clientConn lets time pass while it sends, and no other one send meanwhile: the
// ids of subscriptions depend on the clock.
type clientConn struct {
	net.Conn
	route *route
}

func (c clientConn) Write(p []byte) (int, error) {
	if c.route.clock != nil {
		c.route.clock <- struct{}{}
		time.Sleep(10 * time.Microsecond)
		<-c.route.clock
	}
	return c.Conn.Write(p)
}

// registryServer is a registry, with a route to it. It can be killed and
// started again.
type registryServer struct {
	*route
	t     testing.TB
	path  string // of the database
	store storage.Store
	web   *websocket.Server
	kill  func()
}

// withRegistry runs a test with a registry, in a synctest bubble.
func withRegistry(t *testing.T, test func(t *testing.T, s *registryServer)) {
	t.Helper()
	withDatabase(t, ":memory:", test)
}

func withDatabase(t *testing.T, path string, test func(t *testing.T, s *registryServer)) {
	t.Helper()
	if path != ":memory:" {
		path = filepath.Join(t.TempDir(), path)
	}
	synctest.Test(t, func(t *testing.T) {
		s := &registryServer{route: newRoute(), t: t, path: path}
		s.start()
		test(t, s)
	})
}

func (s *registryServer) start() {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, storeErr := sqlite.Open(context.Background(), s.path)
	s.store = store
	h, hubErr := hub.New("registry-hub")
	if err := errors.Join(storeErr, hubErr); err != nil {
		s.t.Fatal(err)
	}
	reg, err := registry.New(context.Background(), store, registry.WithLogger(log))
	if err = errors.Join(err, h.Register(reg)); err != nil {
		s.t.Fatal(err)
	}
	s.web = websocket.NewServer(h, websocket.Limits{}, log)
	s.pipes.Reopen()
	stop := s.serve(s.route)
	s.kill = sync.OnceFunc(func() {
		stop()
		err := s.web.Shutdown(context.Background())
		if err = errors.Join(err, reg.Close(), store.Close()); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(s.kill)
}

// serve serves the registry at the end of a route.
func (s *registryServer) serve(r *route) (stop func()) {
	web := &http.Server{Handler: s.web}
	ended := make(chan struct{})
	go func() { web.Serve(r.pipes); close(ended) }()
	return func() { web.Close(); <-ended }
}

// otherRoute is another one to the same registry.
func (s *registryServer) otherRoute() *route {
	r := newRoute()
	r.clock = s.clock
	s.t.Cleanup(s.serve(r))
	s.t.Cleanup(r.pipes.Resume)
	return r
}

// call calls a method of the registry as somebody else.
func (s *registryServer) call(method string, params any) (answer struct{ Backends []registryclient.Backend }) {
	s.t.Helper()
	c, err := client.Dial(context.Background(), url, s.options()...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	content, err := client.CallOne[json.RawMessage](context.Background(), c, "registry."+method, params)
	if err = errors.Join(err, json.Unmarshal(content, &answer)); err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// entries are all entries, as somebody else sees them.
func (s *registryServer) entries() map[string]registryclient.Backend {
	s.t.Helper()
	entries := map[string]registryclient.Backend{}
	for _, b := range s.call("list", object{"active_only": false}).Backends {
		if _, twice := entries[b.Name]; twice {
			s.t.Errorf("%s is there twice", b.Name)
		}
		entries[b.Name] = b
	}
	return entries
}

// wants checks that alpha is the only entry, and how it is registered.
func (s *registryServer) wants(port int, active bool, ttl int64) {
	s.t.Helper()
	all := s.entries()
	if b := all["alpha"]; len(all) != 1 || b.Port != port || b.Active != active || active && b.TTLSeconds != ttl {
		s.t.Errorf("it is registered as %+v; want port %d, active %v, ttl %d", all, port, active, ttl)
	}
}

// registryThat answers every call with an item, whose fields answer returns.
func registryThat(answer func(method string) (fields string)) func(c *peer) {
	return func(c *peer) {
		c.Info("h")
		for r := c.Called("7"); r != nil; r = c.Called("7") {
			c.Item("7", answer(r.Params.Method))
			c.Item("7", done)
		}
	}
}

// alpha is a hub to register.
func alpha() registryclient.Registration {
	return registryclient.Registration{Name: "alpha", Host: "127.0.0.1", Port: 4444, Version: "1.2.3"}
}

// register keeps a hub registered until the test ends, and waits until it is.
func (r *route) register(t testing.TB, g registryclient.Registration, options ...client.Option) *registryclient.Registrar {
	t.Helper()
	registrar, err := registryclient.Register(context.Background(), url, g, r.options(options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registrar.Close() })
	if err := registrar.Wait(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	return registrar
}

// lines is a log of a client.
type lines struct{ testkit.Log }

func (l *lines) option() client.Option { return registryclient.WithLogger(l.Logger()) }

// soon waits for a condition that is promised to hold within 5 seconds.
func soon(t testing.TB, what string, condition func() bool) {
	t.Helper()
	begun := time.Now()
	testkit.Eventually(t, what, condition)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%s took %v", what, took)
	}
}
