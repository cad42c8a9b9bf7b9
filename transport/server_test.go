// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serving is a server of a hub with the method test.hang, which does not end
// before the test releases it.
type serving struct {
	*transport.Server
	addr, url string
	listener  net.Listener
	stop      context.CancelFunc
	stopped   chan error
	released  chan struct{}
	entered   chan struct{}
}

func serve(t *testing.T, options ...transport.Option) *serving {
	t.Helper()
	return serveOn(t, testkit.Listen(t), options...)
}

func serveOn(t *testing.T, l net.Listener, options ...transport.Option) *serving {
	t.Helper()
	s := &serving{listener: l, stopped: make(chan error, 1), released: make(chan struct{}), entered: make(chan struct{}, 1)}
	h, err := hub.New("hub")
	err = errors.Join(err, h.Register(plugin.Definition{
		Namespace: "test", Version: "1.0.0", Description: "Test subject",
		Methods: []plugin.Method{
			plugin.Unary("hang", "Waits", func(context.Context, plugin.None) (string, error) {
				s.entered <- struct{}{}
				<-s.released
				return "released", nil
			}),
		},
	}))
	must(t, err)
	var ctx context.Context
	ctx, s.stop = context.WithCancel(t.Context())
	s.addr = transport.LocalAddress(l.Addr()).String()
	s.url = "ws://" + s.addr
	s.Server = transport.New(h, options...)
	go func() { s.stopped <- s.Serve(ctx, l) }()
	t.Cleanup(s.stop)
	return s
}

// result waits until the server has stopped.
func (s *serving) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.stopped:
		return err
	case <-time.After(testkit.Patience):
		t.Fatal("the server has not stopped")
		return nil
	}
}

// hang connects, and calls test.hang.
func (s *serving) hang(t *testing.T) *testkit.Conn {
	t.Helper()
	ws := testkit.Dial(t, s.url)
	ws.Send(`{"jsonrpc":"2.0","id":1,"method":"test.hang"}`)
	<-s.entered
	return ws
}

// eventually waits until so many connections count.
func (s *serving) eventually(t *testing.T, open, pending int64) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("%d open and %d pending connections", open, pending), func() bool {
		stats := s.Stats()
		return stats.Connections == open && stats.Pending == pending
	})
}

// raw opens a connection and sends text.
func (s *serving) raw(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(testkit.Patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// closed waits until the server closes a connection, and returns what it sent.
func closed(t *testing.T, c net.Conn) string {
	t.Helper()
	sent, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection was left open")
	}
	return string(sent)
}

// nobodyListens reports whether an address is free again.
func nobodyListens(address string) bool {
	c, err := net.Dial("tcp", address)
	if err == nil {
		c.Close()
	}
	return err != nil
}

func TestServeStopsGracefully(t *testing.T) {
	s := serve(t)
	ws := s.hang(t)
	if n := s.Stats().Connections; n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	s.stop()
	testkit.Eventually(t, "the listener to close while the call goes on", func() bool { return nobodyListens(s.addr) })
	close(s.released)
	got, code := ws.Rest()
	if len(got) != 3 || !strings.Contains(got[1], `"released"`) || !strings.Contains(got[2], `"done"`) || code != gorilla.CloseGoingAway {
		t.Errorf("got %s, closed with %d", strings.Join(got, "\n"), code)
	}
	if err := s.result(t); err != nil {
		t.Errorf("got %v, want a complete stop", err)
	}
	if n := s.Stats().Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestServeCutsOffCallsThatDoNotEnd(t *testing.T) {
	s := serve(t, transport.WithStopTimeout(100*time.Millisecond))
	ws := s.hang(t)
	s.stop()
	err := s.result(t)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fmt.Sprint(err), "cut off") || !strings.Contains(fmt.Sprint(err), s.addr) {
		t.Errorf("got %v", err)
	}
	if code := ws.Closed(); code == gorilla.CloseGoingAway {
		t.Error("closed with 1001, want a connection that was cut")
	}
	close(s.released)
}

func TestPendingConnectionsDoNotDelayAStop(t *testing.T) {
	for name, sent := range map[string]string{
		"nothing":            "",
		"half a request":     "GET / HTTP/1.1\r\nHost: x\r\n",
		"a body that lags":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
		"an idle keep-alive": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, transport.WithStopTimeout(testkit.Patience))
			ws := testkit.Dial(t, s.url)
			c := s.raw(t, sent)
			if strings.Contains(sent, "\r\n\r\n") { // answered at once
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			s.stop()
			if code := ws.Closed(); code != gorilla.CloseGoingAway {
				t.Errorf("closed with %d, want 1001", code)
			}
			if err := s.result(t); err != nil {
				t.Errorf("got %v, want a complete stop", err)
			}
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("stopped after %v", took)
			}
			closed(t, c)
			s.eventually(t, 0, 0)
		})
	}
}

func TestServeEndsEverythingWhenTheListenerFails(t *testing.T) {
	s := serve(t)
	ws := testkit.Dial(t, s.url)
	s.listener.Close()
	if code := ws.Closed(); code != gorilla.CloseGoingAway {
		t.Errorf("closed with %d, want 1001", code)
	}
	if err := s.result(t); !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), s.addr) {
		t.Errorf("got %v, want the listener's error", err)
	}
}

func TestServeWithAContextThatIsDone(t *testing.T) {
	h, err := hub.New("hub")
	must(t, err)
	l := testkit.Listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := transport.New(h).Serve(ctx, l); err != nil {
		t.Error(err)
	}
	if !nobodyListens(l.Addr().String()) {
		t.Error("the listener is still open")
	}
}

// TestMiddlewareSeesRefusedCalls, whether they are made directly or through call,
// once each; and they are answered as ever.
func TestMiddlewareSeesRefusedCalls(t *testing.T) {
	seen := make(chan plugin.Outcome, 10)
	type params struct {
		Name string `json:"name"`
	}
	h := testhub.Start(t, testhub.Config{Activations: []plugin.Activation{plugin.Definition{
		Namespace: "notes",
		Methods: []plugin.Method{
			plugin.Unary("read", "Reads", func(_ context.Context, in params) (string, error) { return in.Name, nil }),
			plugin.Unary("quick", "Reads", func(_ context.Context, in params) (string, error) { return in.Name, nil }, plugin.Quick()),
		},
		Middleware: []plugin.Middleware{plugin.Timing(func(_ context.Context, o plugin.Outcome) { seen <- o })},
	}}})
	ws := testkit.Dial(t, h.URL)
	for i, request := range []string{
		`"method":"notes_read","params":{}`,
		`"method":"notes_read","params":[7]`,
		`"method":"notes_quick","params":{}`,
		`"method":"hub.call","params":{"method":"notes.read","params":{}}`,
	} {
		ws.Send(`{"jsonrpc":"2.0","id":%d,%s}`, i, request)
		o := <-seen
		if !strings.HasPrefix(fmt.Sprint(o.Err), "Invalid params: ") || o.Items != 0 || !strings.HasPrefix(o.Method, "notes.") {
			t.Errorf("%s: %+v", request, o)
		}
		frame := ws.Next()
		if direct := !strings.Contains(request, "call"); direct != (frame.Error != nil) || direct && frame.Error.Code != plugin.CodeInvalidParams {
			t.Errorf("%s is answered %+v", request, frame)
		}
	}
	if len(seen) > 0 {
		t.Errorf("and %+v", <-seen)
	}
}
