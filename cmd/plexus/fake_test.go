// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	gorilla "github.com/gorilla/websocket"
)

// fakeHub is a hub that does what a script says, so that it can do what ours
// does not.
type fakeHub struct {
	name  string
	web   *httptest.Server
	tasks sync.WaitGroup

	mu    sync.Mutex
	open  []*gorilla.Conn
	seen  []string      // the methods that were called, and those of hub.call
	heard chan struct{} // closed, and replaced, when there is another one
}

// fakeCall is what the hub was asked.
type fakeCall struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage

	conn  *gorilla.Conn
	inner string          // the method, for hub.call
	with  json.RawMessage // its parameters
}

// newFake starts a fake hub. serve is called for every request but _info;
// for _info too where the hub has no name.
func newFake(name string, serve func(c *fakeCall)) *fakeHub {
	f := &fakeHub{name: name, heard: make(chan struct{})}
	upgrader := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	f.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.tasks.Add(1)
		defer f.tasks.Done()
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		f.mu.Lock()
		f.open = append(f.open, ws)
		f.mu.Unlock()
		for {
			_, text, err := ws.ReadMessage()
			if err != nil {
				return
			}
			c := &fakeCall{conn: ws}
			if json.Unmarshal(text, c) != nil {
				return
			}
			var inner struct {
				Method string
				Params json.RawMessage
			}
			if strings.HasSuffix(c.Method, ".call") {
				_ = json.Unmarshal(c.Params, &inner)
			}
			c.inner, c.with = inner.Method, inner.Params
			f.note(c)
			if c.Method == "_info" && name != "" {
				c.stream(`99`, fakeData(fmt.Sprintf(`{"backend":%q}`, name)), fakeDone)
				continue
			}
			serve(c)
		}
	}))
	return f
}

func (f *fakeHub) url() string { return "ws" + strings.TrimPrefix(f.web.URL, "http") }

func (f *fakeHub) stop() {
	f.web.Listener.Close()
	f.mu.Lock()
	for _, ws := range f.open {
		ws.Close()
	}
	f.mu.Unlock()
	f.tasks.Wait()
	f.web.Close()
}

func (f *fakeHub) note(c *fakeCall) {
	f.mu.Lock()
	defer f.mu.Unlock()
	method := c.Method
	if c.inner != "" {
		method = c.inner
	}
	f.seen = append(f.seen, method)
	close(f.heard)
	f.heard = make(chan struct{})
}

// calls are the methods that were called so far, and what is closed at the next.
func (f *fakeHub) calls() ([]string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.seen...), f.heard
}

// The items of fake hubs.
const (
	fakeMeta = `"metadata":{"provenance":["x"],"plexus_hash":"00e9e57b321aa1bc","timestamp":1}`
	fakeDone = `{"type":"done",` + fakeMeta + `}`
)

func fakeData(content string) string {
	return `{"type":"data",` + fakeMeta + `,"content_type":"x.y","content":` + content + `}`
}

func fakeError(message, code string) string {
	return fmt.Sprintf(`{"type":"error",%s,"message":%q,"code":%q,"recoverable":false}`, fakeMeta, message, code)
}

func (c *fakeCall) send(format string, args ...any) {
	// An error means that the client has left.
	_ = c.conn.WriteMessage(gorilla.TextMessage, fmt.Appendf(nil, format, args...))
}

// stream answers with a subscription, and with items.
func (c *fakeCall) stream(subscription string, items ...string) {
	c.send(`{"jsonrpc":"2.0","id":%s,"result":%s}`, c.ID, subscription)
	for _, item := range items {
		c.item(subscription, item)
	}
}

func (c *fakeCall) item(subscription, item string) {
	c.send(`{"jsonrpc":"2.0","method":"m","params":{"subscription":%s,"result":%s}}`, subscription, item)
}

// unknown answers that there is no such method.
func (c *fakeCall) unknown() {
	c.stream("404", fakeError("Activation not found: "+c.inner, "-32601"))
}
