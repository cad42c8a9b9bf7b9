// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/websocket"
)

func TestCallIsAnsweredThenStreamed(t *testing.T) {
	s := serve(t, websocket.Limits{})
	tests := []struct{ name, method, params, notify string }{
		{"call", "hub.call", `{"method":"echo.repeat","params":{"message":"hi","count":2}}`, "hub.call"},
		{"call by position", "hub.call", `["echo.repeat",{"message":"hi","count":2}]`, "hub.call"},
		{"direct", "echo_repeat", `{"message":"hi","count":2}`, "echo_repeat"},
		{"direct by position", "echo_repeat", `["hi",2]`, "echo_repeat"},
		{"bare", "echo.repeat", `{"message":"hi","count":2}`, "echo.repeat"},
	}
	seen := map[int64]bool{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := s.in(t).dial()
			c.Send(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, test.method, test.params)
			sub := c.Subscribed("1")
			if seen[sub] {
				t.Errorf("subscription %d was given out twice", sub)
			}
			seen[sub] = true
			for _, content := range []string{`{"message":"hi","number":1}`, `{"message":"hi","number":2}`} {
				f := c.Item(sub, "data")
				if f.Method != test.notify || string(f.Params.Result.Content) != content || f.Params.Result.ContentType != "echo.repeat" {
					t.Errorf("got %s", f.Text)
				}
			}
			c.Item(sub, "done")
			c.Quiet()
		})
	}
}

func TestIDComesBackAsItWasSent(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	for _, id := range []string{`0`, `-1`, `9007199254740993`, `18446744073709551616`, `""`, `"a\u0041\n"`, `null`} {
		c.Send(`{"jsonrpc":"2.0","id":%s,"method":"_info"}`, id)
		c.served(c.Subscribed(id))
		c.Send(`{"jsonrpc":"2.0","id":%s,"method":"none"}`, id)
		c.Rejected(id, -32601)
	}
}

func TestBadMessagesAreAnsweredAndTheConnectionLives(t *testing.T) {
	s := serve(t, websocket.Limits{})
	tests := []struct {
		name, send, id string
		code           int
	}{
		{"no JSON", `{"jsonrpc":"2.0","id":1,`, "null", -32700},
		{"empty", ``, "null", -32700},
		{"id is a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"_info"}`, "null", -32600},
		{"no version", `{"id":1,"method":"_info"}`, "1", -32600},
		{"empty batch", `[]`, "null", -32600},
		{"unknown method", `{"jsonrpc":"2.0","id":1,"method":"registry_list"}`, "1", -32601},
		{"call of nothing", `{"jsonrpc":"2.0","id":1,"method":"hub.call"}`, "1", -32602},
		{"direct without params", `{"jsonrpc":"2.0","id":1,"method":"echo_once","params":{}}`, "1", -32602},
		{"unsubscribe from nothing", `{"jsonrpc":"2.0","id":1,"method":"hub.call_unsub","params":["x"]}`, "1", -32602},
		{"respond to nothing", `{"jsonrpc":"2.0","id":1,"method":"hub.respond","params":{"request_id":"r","response_data":{}}}`, "1", -32602},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := s.in(t).dial()
			c.Send("%s", test.send)
			f := c.Rejected(test.id, test.code)
			if strings.HasPrefix(test.name, "respond") && !strings.HasPrefix(f.Error.Message, "Unknown request ID: r.") {
				t.Errorf("got %s", f.Text)
			}
			c.Quiet()
		})
	}
}

func TestNotificationStartsNothing(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	c.Send(`{"jsonrpc":"2.0","method":"probe.write"}`)
	c.Send(`{"jsonrpc":"2.0","method":"none"}`)
	c.Quiet()
	if n := s.probe.written.Load(); n != 0 {
		t.Errorf("%d writes, want none", n)
	}
}

func TestBinaryFrameIsServed(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	if err := c.WriteMessage(gorilla.BinaryMessage, []byte(onceRequest)); err != nil {
		t.Fatal(err)
	}
	c.served(c.Subscribed("7"))
}

func TestFragmentedMessageIsServed(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	pong := false
	c.SetPongHandler(func(data string) error { pong = data == "between"; return nil })
	w, err := c.NextWriter(gorilla.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	// What overflows the client's buffer makes a frame of its own.
	overflow := strings.Repeat(" ", 10_000)
	for _, part := range []string{onceRequest[:17], overflow, onceRequest[17:24], overflow, onceRequest[24:]} {
		text := part
		if part != overflow {
			text = strings.ReplaceAll(part, `"hello"`, `"`+strings.Repeat("h", 10_000)+`"`)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteControl(gorilla.PingMessage, []byte("between"), time.Now().Add(testkit.Patience)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c.served(c.Subscribed("7"))
	// A pong is read on the way to an answer, and may come after this one.
	for deadline := time.Now().Add(testkit.Patience); !pong; {
		if time.Now().After(deadline) {
			t.Fatal("the ping between the fragments was not answered")
		}
		c.Send(`{"jsonrpc":"2.0","id":8,"method":"nope"}`)
		c.Rejected("8", plugin.CodeMethodNotFound)
	}
}

func TestFailuresInsideCallsAreItems(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	tests := []struct{ method, params, message, code string }{
		{"none.get", "{}", "Activation not found: none", "-32601"},
		{"echo.none", "{}", "Method not found: echo.none", "-32601"},
		{"none", "{}", "Invalid params: Invalid method format: none", "-32602"},
		{"echo.once", "{}", "Invalid params: missing field: message", "-32602"},
	}
	for _, test := range tests {
		sub := c.call(1, test.method, test.params)
		if got := c.Item(sub, "error").Params.Result; got.Message != test.message || got.Code != test.code || got.Recoverable {
			t.Errorf("%s: got %+v", test.method, got)
		}
		c.Quiet()
	}
}
