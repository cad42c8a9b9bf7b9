// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"fmt"
	"testing"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

func TestWhatFailsIsAnItemAndDisturbsNobody(t *testing.T) {
	s := serve(t, websocket.Limits{MaxQueueBytes: 64 << 10})
	c := s.dial()
	c.Send(`{"jsonrpc":"2.0","id":"other","method":"probe.block"}`)
	other := c.Subscribed(`"other"`)
	c.Item(other, "data")
	tests := []struct{ name, method, code, message string }{
		{"no activation", "none.get", "-32601", "Activation not found: none"},
		{"no method", "echo.none", "-32601", "Method not found: echo.none"},
		{"no path of a method", "none", "-32602", "Invalid params: Invalid method format: none"},
		{"no parameters", "echo.once", "-32602", "Invalid params: missing field: message"},
		{"a panic in the handler", "probe.panic", "-32000", "probe.panic failed"},
		{"content that is no JSON", "probe.nan", "-32603", "the result can't be written as JSON"},
		{"a panic in the content", "probe.fragile", "-32603", "the result can't be written as JSON"},
		{"a handler that ends its goroutine", "probe.exit", "-32000", "probe.exit failed"},
		{"content that ends the goroutine", "probe.exit_content", "-32603", "the result can't be written as JSON"},
		{"large content that ends the goroutine", "probe.exit_large", "-32603", "the result can't be written as JSON"},
	}
	for _, test := range tests {
		t.Log(test.name)
		sub := c.call(1, test.method, "{}")
		if got := c.Item(sub, "error").Params.Result; got.Code != test.code || got.Message != test.message || got.Recoverable {
			t.Errorf("%s: got %+v", test.name, got)
		}
		c.Quiet() // no done
	}
	testkit.Eventually(t, "the memory to be given back", func() bool { return s.Counts().Held == 0 })
	c.unsubscribed("hub.call_unsub", other, true)
}

func TestAPanicInTheParametersIsAnswered(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	c.Send(`{"jsonrpc":"2.0","id":1,"method":"probe_trap"}`)
	c.Rejected("1", -32603)
	c.Quiet()
}

func TestAProducerThatGoesOnAfterUnsubscription(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	sub := c.call(1, "probe.deaf", "{}")
	c.Item(sub, "data")
	c.unsubscribed("hub.call_unsub", sub, true)
	c.Quiet()
	c.Close()
	testkit.Eventually(t, "the session to end", func() bool { return s.Connections() == 0 })
}

// TestTheReaderEnds where code of an activation ends its goroutine, as t.Fatal
// does: the connection is closed, and nothing of it is left.
func TestTheReaderEnds(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	sub := c.call(1, "probe.exit_quick", "{}")
	if got := c.Item(sub, "error").Params.Result.Message; got != "probe.exit_quick failed" {
		t.Errorf("the stream ended with %q", got)
	}
	c.closedWith(gorilla.CloseInternalServerErr)
	const call = `{"jsonrpc":"2.0","id":%d,"method":"probe_%s"}`
	for _, message := range []string{
		fmt.Sprintf(call, 1, "exit_trap"),
		"[" + fmt.Sprintf(call, 1, "block") + "," + fmt.Sprintf(call, 2, "exit_trap") + "]",
	} {
		c := s.dial()
		c.Send("%s", message)
		if code := c.Closed(); code != gorilla.CloseInternalServerErr {
			t.Errorf("%s: closed with %d", message, code)
		}
	}
	testkit.Eventually(t, "the sessions to end", func() bool { return s.Connections() == 0 })
}
