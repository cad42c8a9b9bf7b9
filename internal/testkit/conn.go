// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Conn is a WebSocket connection for tests. What it sends and expects are
// frames; whatever else comes, or nothing within Patience, ends the test. Use
// it from the goroutine of the test.
type Conn struct {
	*websocket.Conn
	t testing.TB
}

// Dial connects to ws://host:port. The connection is closed when the test ends.
func Dial(t testing.TB, url string) *Conn {
	t.Helper()
	c, _, err := DialWith(t, new(websocket.Dialer), url, nil)
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	return c
}

// DialWith connects with a dialer and headers of the test's own. Where the
// server refuses, it returns the answer and an error.
func DialWith(t testing.TB, d *websocket.Dialer, url string, header http.Header) (*Conn, *http.Response, error) {
	t.Helper()
	if d.HandshakeTimeout == 0 {
		d.HandshakeTimeout = Patience
	}
	ws, answer, err := d.Dial(url, header)
	if err != nil {
		return nil, answer, err
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(Patience))
	return &Conn{Conn: ws, t: t}, answer, nil
}

// TCP is the connection under the WebSocket, where there is no TLS.
func (c *Conn) TCP() *net.TCPConn { return c.NetConn().(*net.TCPConn) }

// Send sends a frame.
func (c *Conn) Send(format string, args ...any) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// Text reads a frame as it is.
func (c *Conn) Text() string {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(Patience))
	kind, text, err := c.ReadMessage()
	if err != nil {
		c.t.Fatalf("expected a frame: %v", err)
	}
	if kind != websocket.TextMessage {
		c.t.Fatalf("a message of type %d, want text", kind)
	}
	return string(text)
}

// Next reads a frame.
func (c *Conn) Next() Frame {
	c.t.Helper()
	return ParseFrame(c.t, []byte(c.Text()))
}

// Expect reads a frame, which must be this text.
func (c *Conn) Expect(format string, args ...any) {
	c.t.Helper()
	if got, want := c.Text(), fmt.Sprintf(format, args...); got != want {
		c.t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// Answered reads a frame, which must answer the request id, JSON text, with a
// result.
func (c *Conn) Answered(id string) Frame {
	c.t.Helper()
	f := c.Next()
	if string(f.ID) != id || f.Result == nil {
		c.t.Fatalf("got %s, want a result for %s", f.Text, id)
	}
	return f
}

// Rejected reads a frame, which must answer the request id with that error.
func (c *Conn) Rejected(id string, code int) Frame {
	c.t.Helper()
	f := c.Next()
	if string(f.ID) != id || f.Error == nil || f.Error.Code != code {
		c.t.Fatalf("got %s, want the error %d for %s", f.Text, code, id)
	}
	return f
}

// Subscribed reads a frame, which must answer the request id with a
// subscription.
func (c *Conn) Subscribed(id string) (subscription int64) {
	c.t.Helper()
	f := c.Answered(id)
	if err := json.Unmarshal(f.Result, &subscription); err != nil || subscription <= 0 || subscription >= 1<<53 {
		c.t.Fatalf("got %s, want a subscription", f.Text)
	}
	return subscription
}

// Item reads a frame, which must be an item of that type, of that subscription.
func (c *Conn) Item(subscription int64, kind string) Frame {
	c.t.Helper()
	f := c.Next()
	if string(f.Params.Subscription) != fmt.Sprint(subscription) || f.Params.Result.Type != kind || f.ID != nil {
		c.t.Fatalf("got %.500s, want an item %s of %d", f.Text, kind, subscription)
	}
	return f
}

// Items sends a request with the id 1 and returns the items of its stream.
// params is JSON text, "" for none. No other stream may be running.
func (c *Conn) Items(method, params string) []Item {
	c.t.Helper()
	if params != "" {
		params = `,"params":` + params
	}
	c.Send(`{"jsonrpc":"2.0","id":1,"method":%q%s}`, method, params)
	subscription := c.Subscribed("1")
	var items []Item
	for {
		f := c.Next()
		if string(f.Params.Subscription) != fmt.Sprint(subscription) {
			c.t.Fatalf("got %.500s, want an item of %d", f.Text, subscription)
		}
		items = append(items, f.Params.Result)
		if f.Params.Result.Last() {
			return items
		}
	}
}

// Call calls a method through the call method of a hub, "registry-hub.call", and
// returns the items.
func (c *Conn) Call(hub, method, params string) []Item {
	c.t.Helper()
	if params == "" {
		params = "null"
	}
	return c.Items(hub+".call", fmt.Sprintf(`{"method":%q,"params":%s}`, method, params))
}

// Quiet checks that nothing is on its way but the answer to what it asks.
func (c *Conn) Quiet() {
	c.t.Helper()
	c.Send(`{"jsonrpc":"2.0","id":"quiet?","method":"none"}`)
	c.Expect(`{"jsonrpc":"2.0","id":"quiet?","error":{"code":-32601,"message":"Method not found"}}`)
}

// Closed reads until the connection closes, and returns the close code; 0 for
// none.
func (c *Conn) Closed() (code int) {
	c.t.Helper()
	_, code = c.Rest()
	return code
}

// Rest reads until the connection closes, and returns the frames and the close
// code; 0 for none.
func (c *Conn) Rest() (frames []string, code int) {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(Patience))
	for {
		_, text, err := c.ReadMessage()
		if err == nil {
			frames = append(frames, string(text))
			continue
		}
		var closed *websocket.CloseError
		if errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
			return frames, closed.Code
		}
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatalf("the connection was not closed; received\n%s", strings.Join(frames, "\n"))
		}
		return frames, 0
	}
}
