// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// registryServer is a registry that can be killed and started again on the
// same port.
type registryServer struct {
	t    testing.TB
	pipe *testkit.Pipes // in place of a port, where time is made up
	gate chan struct{}
	at   string // host:port
	url  string
	path string // of the database; empty for one that does not outlive it

	kill     func()
	registry *registry.Registry
}

// newRegistry starts a registry. With keep, its database outlives it.
func newRegistry(t testing.TB, keep bool) *registryServer {
	t.Helper()
	noLeak(t)
	s := &registryServer{t: t}
	if keep {
		s.path = filepath.Join(t.TempDir(), "registry.db")
	}
	s.start()
	return s
}

func (s *registryServer) start() {
	s.t.Helper()
	l := s.listen()
	path := s.path
	if path == "" {
		path = ":memory:"
	}
	store, storeErr := sqlite.Open(context.Background(), path)
	h, hubErr := hub.New("registry-hub")
	if err := errors.Join(storeErr, hubErr); err != nil {
		s.t.Fatal(err)
	}
	reg, err := registry.New(context.Background(), store)
	if err := errors.Join(err, h.Register(reg)); err != nil {
		s.t.Fatal(err)
	}
	s.registry = reg
	stop := serve(s.t, h, l)
	s.kill = sync.OnceFunc(func() {
		stop()
		if err := errors.Join(reg.Close(), store.Close()); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(s.kill)
}

func (s *registryServer) listen() net.Listener {
	if s.pipe != nil {
		s.pipe.SetDown(false)
		return s.pipe
	}
	address := s.at
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.at, s.url = l.Addr().String(), "ws://"+l.Addr().String()
	return l
}

// newPipeRegistry starts a registry whose time is made up, with that of the
// test.
func newPipeRegistry(t *testing.T) *registryServer {
	t.Helper()
	s := &registryServer{t: t, url: "ws://pipe", pipe: testkit.NewPipes(), gate: make(chan struct{}, 1)}
	s.start()
	return s
}

// options are what leads to it.
func (s *registryServer) options(more ...client.Option) []client.Option {
	if s.pipe != nil {
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.pipe.Dial(ctx, network, address)
			return slowConn{conn, s.gate}, err
		}
		more = append(more, client.WithNetDial(dial), client.WithProxy(nil))
	}
	return more
}

// slowConn is a connection on which nothing is sent at the same moment as on
// another one: ids of subscriptions need a clock that moves.
type slowConn struct {
	net.Conn
	gate chan struct{}
}

func (c slowConn) Write(p []byte) (int, error) {
	c.gate <- struct{}{}
	time.Sleep(10 * time.Microsecond)
	<-c.gate
	return c.Conn.Write(p)
}

// entries are all entries, as somebody else sees them.
func (s *registryServer) entries() map[string]registryclient.Backend {
	s.t.Helper()
	c, err := client.Dial(context.Background(), s.url, s.options()...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	answer, err := client.CallOne[struct {
		Backends []registryclient.Backend `json:"backends"`
	}](context.Background(), c, "registry.list", object{"active_only": false})
	if err != nil {
		s.t.Fatal(err)
	}
	entries := map[string]registryclient.Backend{}
	for _, b := range answer.Backends {
		if _, twice := entries[b.Name]; twice {
			s.t.Errorf("%s is there twice", b.Name)
		}
		entries[b.Name] = b
	}
	return entries
}

// call calls a method of the registry as somebody else.
func (s *registryServer) call(method string, params any) object {
	s.t.Helper()
	c, err := client.Dial(context.Background(), s.url, s.options()...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	answer, err := client.CallOne[object](context.Background(), c, "registry."+method, params)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// alpha is a hub to register.
func alpha() registryclient.Registration {
	return registryclient.Registration{Name: "alpha", Host: "127.0.0.1", Port: 4444, Version: "1.2.3"}
}

// register keeps a hub registered until the test ends, and waits until it is.
func register(t testing.TB, url string, g registryclient.Registration, options ...client.Option) *registryclient.Registrar {
	t.Helper()
	r, err := registryclient.Register(context.Background(), url, g, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if err := r.Wait(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	return r
}

// lines is a log of a client.
type lines struct{ testkit.Log }

func (l *lines) option() client.Option {
	return registryclient.WithLogger(l.Logger())
}

// network stands between a client and a registry, and can be a bad one.
type network struct {
	to  string
	url string

	mu      sync.Mutex
	stalled chan struct{} // while it is not nil, nothing passes until it is closed
	pairs   map[net.Conn]bool
	running sync.WaitGroup
}

func newNetwork(t testing.TB, to string) *network {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	p := &network{to: to, url: "ws://" + l.Addr().String(), pairs: map[net.Conn]bool{}}
	p.running.Go(func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.pass(here) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.resume()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// pass joins a connection with one to the registry.
func (p *network) pass(here net.Conn) {
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		here.Close()
		return
	}
	p.mu.Lock()
	p.pairs[here], p.pairs[there] = true, true
	p.mu.Unlock()
	copyTo := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			p.wait()
			if n > 0 {
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { copyTo(there, here) })
	both.Go(func() { copyTo(here, there) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, here)
	delete(p.pairs, there)
	p.mu.Unlock()
}

func (p *network) wait() {
	p.mu.Lock()
	stalled := p.stalled
	p.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
}

// stall lets nothing through any more; connections are accepted still.
func (p *network) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = make(chan struct{})
}

// resume lets everything through, what was held up too.
func (p *network) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
}

// cut closes every connection.
func (p *network) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.pairs {
		conn.Close()
	}
}

// soon is the time in which a hub is registered again once its registry is
// back: it is promised.
const soon = 5 * time.Second

// inTime waits for a condition that is promised to come soon.
func inTime(t testing.TB, what string, condition func() bool) {
	t.Helper()
	begun := time.Now()
	testkit.Eventually(t, what, condition)
	took := time.Since(begun)
	t.Logf("%s after %v", what, took.Round(time.Millisecond))
	if took > soon {
		t.Errorf("%s took %v", what, took)
	}
}
