// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/websocket"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	status := m.Run()
	if stacks := leaked(); status == 0 && stacks != "" {
		fmt.Fprintf(os.Stderr, "goroutines of the client are left:\n%s\n", stacks)
		status = 1
	}
	os.Exit(status)
}

// leaked returns the stacks of the goroutines that the client has started and
// that have not ended soon.
func leaked() string {
	const pkg = "plexus/transport/client."
	var left string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		buf := make([]byte, 4<<20)
		left = ""
		for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(stack, pkg) {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return ""
		}
	}
	return left
}

// watched are the tests that have called noLeak.
var watched sync.Map

// noLeak checks, at the very end of the test, that nothing of the client is
// left. It is to be called before anything is started.
func noLeak(t testing.TB) {
	t.Helper()
	if _, already := watched.LoadOrStore(t, true); already {
		return
	}
	t.Cleanup(func() {
		if stacks := leaked(); stacks != "" {
			t.Errorf("goroutines of the client are left:\n%s", stacks)
		}
	})
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

// within is a context of the test's patience.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// listen opens a listener on the loopback, which the test closes.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("can't listen: %v", err) // IPv6, on some machines
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// newHub makes a hub named "hub" with echo and more activations.
func newHub(t testing.TB, more ...plugin.Activation) *hub.Hub {
	t.Helper()
	h, err := hub.New("hub")
	for _, a := range append([]plugin.Activation{echo.New()}, more...) {
		err = errors.Join(err, h.Register(a))
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// serve serves h on l, until the test ends or stop is called.
func serve(t testing.TB, h *hub.Hub, l net.Listener) (stop func()) {
	t.Helper()
	ws := websocket.NewServer(h, websocket.Limits{}, slog.New(slog.DiscardHandler))
	web := &http.Server{Handler: ws}
	ended := make(chan struct{})
	go func() { web.Serve(l); close(ended) }()
	stop = sync.OnceFunc(func() {
		web.Close()
		<-ended
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := ws.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// start serves a hub with echo and more and returns its address.
func start(t testing.TB, more ...plugin.Activation) string {
	t.Helper()
	noLeak(t)
	l := listen(t, "127.0.0.1:0")
	serve(t, newHub(t, more...), l)
	return "ws://" + l.Addr().String()
}

// dial connects a client that is closed when the test ends.
func dial(t testing.TB, url string, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Dial(within(t), url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// fake is a hub that does what a script says.
type fake struct {
	t   testing.TB
	url string
}

// pretend starts a fake hub. The script is run for every connection, which is
// closed when it returns.
func pretend(t testing.TB, script func(c *peer)) *fake {
	t.Helper()
	noLeak(t)
	l := listen(t, "127.0.0.1:0")
	pretendOn(t, l, script)
	return &fake{t: t, url: "ws://" + l.Addr().String()}
}

func pretendOn(t testing.TB, l net.Listener, script func(c *peer)) {
	t.Helper()
	upgrader := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	var scripts sync.WaitGroup
	var mu sync.Mutex
	open := map[*gorilla.Conn]bool{}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		mu.Lock()
		open[ws] = true
		mu.Unlock()
		script(&peer{Conn: ws, t: t, header: r.Header})
	})}
	web.Handler = counted(&scripts, web.Handler)
	ended := make(chan struct{})
	go func() { web.Serve(l); close(ended) }()
	t.Cleanup(func() {
		web.Close()
		<-ended
		mu.Lock()
		for ws := range open {
			ws.Close()
		}
		mu.Unlock()
		scripts.Wait()
	})
}

func counted(running *sync.WaitGroup, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		h.ServeHTTP(w, r)
	})
}

// peer is the fake hub's end of a connection.
type peer struct {
	*gorilla.Conn
	t      testing.TB
	header http.Header
}

// request is what the client sent.
type request struct {
	ID     int64
	Method string
	Params struct {
		Method       string
		RequestID    string         `json:"request_id"`
		ResponseData map[string]any `json:"response_data"`
	}
	text string
}

// called reads a call and answers it with a subscription, JSON text.
func (p *peer) called(subscription string) *request {
	r := p.next()
	if r != nil {
		p.send(`{"jsonrpc":"2.0","id":%d,"result":%s}`, r.ID, subscription)
	}
	return r
}

// next reads what the client sends; nil when it has left.
func (p *peer) next() *request {
	_, text, err := p.ReadMessage()
	if err != nil {
		return nil
	}
	return parseRequest(p.t, text)
}

// gone waits until the client has left.
func (p *peer) gone() {
	for p.next() != nil {
	}
}

func (p *peer) send(format string, args ...any) {
	// An error means that the client has left.
	_ = p.WriteMessage(gorilla.TextMessage, fmt.Appendf(nil, format, args...))
}

// data and the like are items, for item.
const (
	done = `"type":"done","metadata":{"provenance":[],"plexus_hash":"00e9e57b321aa1bc","timestamp":1}`
	meta = `"metadata":{"provenance":["x"],"plexus_hash":"00e9e57b321aa1bc","timestamp":1}`
)

func data(content string) string {
	return `"type":"data",` + meta + `,"content_type":"x.y","content":` + content
}

// item sends an item of a stream; subscription is JSON text.
func (p *peer) item(subscription, fields string) {
	p.send(`{"jsonrpc":"2.0","method":"m","params":{"subscription":%s,"result":{%s}}}`, subscription, fields)
}

// info answers the _info that a client begins with.
func (p *peer) info(name string) {
	r := p.next()
	if r == nil {
		return
	}
	if r.Method != "_info" || !strings.Contains(r.text, `"params":null`) {
		p.t.Errorf("the client began with %s", r.text)
	}
	p.send(`{"jsonrpc":"2.0","id":%d,"result":99}`, r.ID)
	p.item("99", data(`{"backend":"`+name+`"}`))
	p.item("99", done)
}

// dialFailed reports whether there was no connection.
func dialFailed(err error) bool {
	_, ok := errors.AsType[*client.DialError](err)
	return ok
}

// content is the content of a data item, as text.
func content(i plugin.Item) string {
	text, _ := i.Content.(json.RawMessage)
	return string(text)
}
