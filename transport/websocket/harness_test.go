// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/transport/websocket"
)

// server is a hub named "hub" with the activations echo and probe, behind a
// loopback listener.
type server struct {
	*websocket.Server
	t     testing.TB
	addr  string
	url   string
	probe *probe
	gorilla.Dialer
}

// testHub makes the hub that all servers have, since it takes a while.
var testHub = sync.OnceValues(func() (*hub.Hub, error) {
	h, err := hub.New("hub")
	return h, errors.Join(err, h.Register(echo.New()), h.Register(&probe{}))
})

// current is what the methods of probe work on: that of the last server.
var current atomic.Pointer[probe]

// Connections returns how many clients are connected.
func (s *server) Connections() int64 { return s.Counts().Connections }

// serve starts a server. When the test ends it is shut down.
func serve(t testing.TB, limits websocket.Limits) *server {
	t.Helper()
	return serveOn(t, limits, testkit.Listen(t))
}

func serveOn(t testing.TB, limits websocket.Limits, l net.Listener) *server {
	t.Helper()
	h, err := testHub()
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	s := &server{t: t, addr: addr, url: "ws://" + addr, probe: &probe{released: make(chan struct{})}}
	if p, ok := l.(*testkit.Pipes); ok {
		s.NetDialContext = p.Dial
	}
	current.Store(s.probe)
	s.Server = websocket.NewServer(h, limits, slog.New(slog.DiscardHandler))
	web := &http.Server{Handler: s.Server}
	go web.Serve(l)
	t.Cleanup(func() {
		web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return s
}

// client is a connection to the hub of the tests.
type client struct {
	*testkit.Conn
	t testing.TB
}

// in returns the server for a subtest.
func (s *server) in(t testing.TB) *server {
	of := *s
	of.t = t
	return &of
}

func (s *server) dial() *client {
	s.t.Helper()
	c, _, err := testkit.DialWith(s.t, &s.Dialer, s.url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c.SetReadDeadline(time.Time{}) // what is expected sets its own
	return &client{Conn: c, t: s.t}
}

// call starts a stream.
func (c *client) call(id int, method, params string) (subscription int64) {
	c.t.Helper()
	c.Send(`{"jsonrpc":"2.0","id":%d,"method":"hub.call","params":{"method":%q,"params":%s}}`, id, method, params)
	return c.Subscribed(fmt.Sprint(id))
}

// write writes what need not be whole frames.
func (c *client) write(bytes []byte) {
	c.t.Helper()
	if _, err := c.NetConn().Write(bytes); err != nil {
		c.t.Fatal(err)
	}
}

// unsubscribe sends a request to end a stream.
func (c *client) unsubscribe(method string, sub int64) {
	c.t.Helper()
	c.Send(`{"jsonrpc":"2.0","id":"unsub","method":%q,"params":[%d]}`, method, sub)
}

// unsubscribed ends a stream, and checks whether it was running.
func (c *client) unsubscribed(method string, sub int64, running bool) {
	c.t.Helper()
	c.unsubscribe(method, sub)
	c.Expect(`{"jsonrpc":"2.0","id":"unsub","result":%v}`, running)
}

// served reads what follows the answer to a call of one result.
func (c *client) served(subscription int64) {
	c.t.Helper()
	c.Item(subscription, "data")
	c.Item(subscription, "done")
}

// closedWith reads until the connection closes, and checks the close code.
func (c *client) closedWith(code int) {
	c.t.Helper()
	if got := c.Closed(); got != code {
		c.t.Errorf("closed with %d, want %d", got, code)
	}
}

// probe is an activation that does what a test needs.
type probe struct {
	running  atomic.Int64  // handlers that have not returned
	yielded  atomic.Int64  // items that flood has made
	written  atomic.Int64  // writes that were finished
	released chan struct{} // what hang and write wait for
}

type size struct {
	Bytes int `json:"bytes"`
}

type text struct {
	Text string `json:"text,omitzero"`
}

type raw struct {
	Raw json.RawMessage `json:"raw"`
}

// fragile has JSON whose writing panics.
type fragile struct{}

func (fragile) MarshalJSON() ([]byte, error) { panic("in MarshalJSON") }

// exiting is content of about so many bytes, whose writing ends the goroutine.
type exiting int

func (e exiting) SizeJSON() int { return int(e) }

func (e exiting) AppendJSON([]byte) ([]byte, error) { runtime.Goexit(); return nil, nil }

// filled is content of so many bytes that takes none before it is written.
type filled int

func (f filled) SizeJSON() int { return int(f) + 2 }

func (f filled) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '"')
	for range int(f) {
		dst = append(dst, 'f')
	}
	return append(dst, '"'), nil
}

// trap are parameters whose checking panics.
type trap struct {
	Text string `json:"text,omitzero"`
}

func (*trap) Validate() error { panic("in Validate") }

// exit are parameters whose checking ends the goroutine.
type exit struct{}

func (*exit) Validate() error { runtime.Goexit(); return nil }

func (*probe) Define() plugin.Definition {
	filler := func(n int) string { return strings.Repeat("x", n) }
	return plugin.Definition{
		Namespace: "probe", Version: "1.0.0", Description: "Test subject",
		Methods: []plugin.Method{
			plugin.Stream("block", "One item, then nothing until it is cancelled",
				func(ctx context.Context, in text) iter.Seq2[any, error] {
					return func(yield func(any, error) bool) {
						p := current.Load()
						p.running.Add(1)
						defer p.running.Add(-1)
						if yield("blocking", nil) {
							<-ctx.Done()
						}
					}
				}),
			plugin.Stream("flood", "Items without end",
				func(ctx context.Context, in size) iter.Seq2[any, error] {
					return func(yield func(any, error) bool) {
						p := current.Load()
						p.running.Add(1)
						defer p.running.Add(-1)
						for ctx.Err() == nil && yield(filler(in.Bytes), nil) {
							p.yielded.Add(1)
						}
					}
				}),
			plugin.Unary("ask", "Asks whether the caller is sure",
				func(ctx context.Context, in text) (any, error) {
					return plugin.Ask(ctx, plugin.Confirm{Message: in.Text})
				}, plugin.Bidirectional()),
			plugin.Unary("ask_twice", "Asks again",
				func(ctx context.Context, in text) (any, error) {
					for range 2 {
						if _, err := plugin.Ask(ctx, plugin.Confirm{Message: in.Text}); err != nil {
							return nil, err
						}
					}
					return nil, nil
				}, plugin.Bidirectional()),
			plugin.Unary("large", "One item of that size",
				func(_ context.Context, in size) (any, error) { return filler(in.Bytes), nil }),
			plugin.Unary("filled", "One item of that size, which costs nothing before it is written",
				func(_ context.Context, in size) (any, error) { return filled(in.Bytes), nil }),
			plugin.Unary("write", "A write that is finished whether or not the client waits",
				func(ctx context.Context, in text) (any, error) {
					p := current.Load()
					p.running.Add(1)
					defer p.running.Add(-1)
					if context.WithoutCancel(ctx).Err() == nil {
						p.written.Add(1)
					}
					return "written", nil
				}),
			plugin.Unary("hang", "Waits until the test releases it, whatever its context says",
				func(context.Context, text) (any, error) {
					p := current.Load()
					p.running.Add(1)
					defer p.running.Add(-1)
					<-p.released
					return "released", nil
				}),
			plugin.Unary("panic", "Panics", func(context.Context, text) (any, error) { panic("in the handler") }),
			plugin.Unary("trap", "Panics in its parameters", func(context.Context, trap) (any, error) { return nil, nil }),
			plugin.Unary("nan", "Not a JSON number", func(context.Context, text) (any, error) { return math.NaN(), nil }),
			plugin.Unary("fragile", "Panics while it is written", func(context.Context, text) (any, error) { return fragile{}, nil }),
			plugin.Unary("exit", "Ends its goroutine", func(context.Context, text) (any, error) { runtime.Goexit(); return nil, nil }),
			plugin.Unary("exit_quick", "Ends the reader's goroutine", func(context.Context, text) (any, error) { runtime.Goexit(); return nil, nil }, plugin.Quick()),
			plugin.Unary("exit_trap", "Ends the goroutine that checks its parameters", func(context.Context, exit) (any, error) { return nil, nil }),
			plugin.Unary("exit_content", "Ends the goroutine that writes its content", func(context.Context, text) (any, error) { return exiting(1), nil }),
			plugin.Unary("exit_large", "So does it, with content that takes all of a queue", func(context.Context, text) (any, error) { return exiting(1 << 20), nil }),
			plugin.Stream("linger", "Fails, and does not return before the test releases it",
				func(context.Context, text) iter.Seq2[any, error] {
					return func(yield func(any, error) bool) {
						yield(nil, errors.New("the end"))
						<-current.Load().released
					}
				}),
			plugin.Stream("keep", "Like block, with parameters that are a part of the message",
				func(ctx context.Context, in raw) iter.Seq2[any, error] {
					return func(yield func(any, error) bool) {
						if yield(in.Raw, nil) {
							<-ctx.Done()
						}
						runtime.KeepAlive(in.Raw)
					}
				}),
			plugin.Stream("deaf", "Goes on though its stream was broken off",
				func(ctx context.Context, in text) iter.Seq2[any, error] {
					return func(yield func(any, error) bool) {
						yield(1, nil)
						<-ctx.Done()
						for {
							yield(2, nil)
						}
					}
				}),
		},
	}
}
