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
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/transport/websocket"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// server is a hub named "hub" with the activations echo and probe, behind a
// loopback listener.
type server struct {
	*websocket.Server
	t     testing.TB
	addr  string
	probe *probe
	// connect opens connections to a listener in memory; nil for one of TCP.
	connect func(ctx context.Context, network, address string) (net.Conn, error)
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
	return serveOn(t, limits, listen(t))
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serveOn(t testing.TB, limits websocket.Limits, l net.Listener) *server {
	t.Helper()
	h, err := testHub()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, addr: l.Addr().String(), probe: &probe{released: make(chan struct{})}}
	if p, ok := l.(*pipes); ok {
		s.connect = p.connect
	}
	current.Store(s.probe)
	s.Server = websocket.NewServer(h, limits, slog.New(slog.DiscardHandler))
	web := &http.Server{Handler: s.Server}
	go web.Serve(l)
	t.Cleanup(func() {
		web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return s
}

// until waits for a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 64<<10)
			t.Fatalf("waited %v for %s\n%s", patience, what, buf[:runtime.Stack(buf, true)])
		}
	}
}

// client is a raw client: what it sends and expects are frames.
type client struct {
	*gorilla.Conn
	t testing.TB
}

func (s *server) dial() *client {
	s.t.Helper()
	c := s.dialWith(&gorilla.Dialer{NetDialContext: s.connect}, nil)
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *server) dialWith(d *gorilla.Dialer, header http.Header) *client {
	s.t.Helper()
	ws, _, err := d.Dial("ws://"+s.addr, header)
	if err != nil {
		s.t.Fatal(err)
	}
	return &client{Conn: ws, t: s.t}
}

// tcp is the connection under the WebSocket.
func (c *client) tcp() *net.TCPConn { return c.NetConn().(*net.TCPConn) }

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if err := c.WriteMessage(gorilla.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// frame is anything that a hub sends.
type frame struct {
	ID     json.RawMessage
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    string
	}
	Method string
	Params *struct {
		Subscription int64
		Result       item
	}
	text string
}

type item struct {
	Type        string
	ContentType string `json:"content_type"`
	Content     json.RawMessage
	Message     string
	Code        string
	Recoverable bool
}

// text reads a frame as it is.
func (c *client) text() string {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	kind, text, err := c.ReadMessage()
	if err != nil {
		c.t.Fatalf("expect a frame: %v", err)
	}
	if kind != gorilla.TextMessage {
		c.t.Fatalf("a frame of kind %d, want text", kind)
	}
	return string(text)
}

func (c *client) next() frame {
	c.t.Helper()
	f := frame{text: c.text()}
	if err := json.Unmarshal([]byte(f.text), &f); err != nil {
		c.t.Fatalf("%v in %s", err, f.text)
	}
	return f
}

// expect reads a frame, which must be this text.
func (c *client) expect(format string, args ...any) {
	c.t.Helper()
	if got, want := c.text(), fmt.Sprintf(format, args...); got != want {
		c.t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// answered reads a frame, which must answer the request id with a result.
func (c *client) answered(id string) frame {
	c.t.Helper()
	f := c.next()
	if string(f.ID) != id || f.Result == nil {
		c.t.Fatalf("got %s, want a result for %s", f.text, id)
	}
	return f
}

// refused reads a frame, which must answer the request id with that error.
func (c *client) refused(id string, code int) frame {
	c.t.Helper()
	f := c.next()
	if string(f.ID) != id || f.Error == nil || f.Error.Code != code {
		c.t.Fatalf("got %s, want the error %d for %s", f.text, code, id)
	}
	return f
}

// subscribed reads a frame, which must answer the request id with a
// subscription.
func (c *client) subscribed(id string) (subscription int64) {
	c.t.Helper()
	f := c.answered(id)
	if err := json.Unmarshal(f.Result, &subscription); err != nil || subscription <= 0 || subscription >= 1<<53 {
		c.t.Fatalf("got %s, want a subscription", f.text)
	}
	return subscription
}

// call starts a stream.
func (c *client) call(id int, method, params string) (subscription int64) {
	c.t.Helper()
	c.send(`{"jsonrpc":"2.0","id":%d,"method":"hub.call","params":{"method":%q,"params":%s}}`, id, method, params)
	return c.subscribed(fmt.Sprint(id))
}

// item reads a frame, which must be an item of that type.
func (c *client) item(subscription int64, kind string) frame {
	c.t.Helper()
	f := c.next()
	if f.Params == nil || f.Params.Subscription != subscription || f.Params.Result.Type != kind || f.ID != nil {
		c.t.Fatalf("got %.500s, want an item %s of %d", f.text, kind, subscription)
	}
	return f
}

// quiet checks that nothing is on its way but the answer to what it asks.
func (c *client) quiet() {
	c.t.Helper()
	c.send(`{"jsonrpc":"2.0","id":"quiet?","method":"none"}`)
	c.expect(`{"jsonrpc":"2.0","id":"quiet?","error":{"code":-32601,"message":"Method not found"}}`)
}

// closed reads until the connection closes, and returns with which code; 0
// for none.
func (c *client) closed() (code int) {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	for {
		_, _, err := c.ReadMessage()
		if err == nil {
			continue
		}
		var frame *gorilla.CloseError
		if errors.As(err, &frame) && frame.Code != gorilla.CloseAbnormalClosure {
			return frame.Code
		}
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatal("the connection was not closed")
		}
		return 0
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
