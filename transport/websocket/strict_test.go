// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/transport/websocket"
)

// TestAmbiguousMessagesAreAnsweredOnce sends messages that two readers of JSON may
// read differently. Each has exactly one answer, and the connection lives.
func TestAmbiguousMessagesAreAnsweredOnce(t *testing.T) {
	const parseError = `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}`
	const head = `{"jsonrpc":"2.0","id":7,"method":"echo.once"`
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	invalid := func(id, why string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32600,"message":"Invalid request","data":"` + why + `"}}`
	}
	s := serve(t, websocket.Limits{})
	for name, test := range map[string]struct{ sent, want string }{
		"a method twice":            {head + `,"method":"probe.panic","params":["x"]}`, parseError},
		"an inner method twice":     {`{"jsonrpc":"2.0","id":7,"method":"hub.call","params":{"method":"echo.once","method":"probe.panic"}}`, parseError},
		"another case":              {`{"jsonrpc":"2.0","id":7,"Method":"echo.once","params":["x"]}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"Invalid request"}}`},
		"a zero byte in the method": {`{"jsonrpc":"2.0","id":7,"method":"echo.once\u0000"}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"Method not found"}}`},
		"100,000 levels":            {head + `,"params":` + deep(100_000) + `}`, invalid("7", "the message is nested deeper than 64 levels, the limit")},
		"100,000 levels in a batch": {`[` + head + `,"params":` + deep(100_000) + `}]`, invalid("null", "the message is nested deeper than 64 levels, the limit")},
		"too long an id":            {`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 1<<20) + `","method":"echo.once"}`, invalid("null", "the id is longer than 256 bytes")},
		"too long a method":         {`{"jsonrpc":"2.0","id":7,"method":"` + strings.Repeat("x", 1<<20) + `"}`, invalid("7", "the method's name is longer than 1024 bytes")},
		"a number beyond a double":  {`{"jsonrpc":"2.0","id":7,"method":"probe.large","params":{"bytes":1e999}}`, ""},
		"an integer beyond 64 bits": {`{"jsonrpc":"2.0","id":7,"method":"probe.large","params":{"bytes":9223372036854775808}}`, ""},
		"an integer with a rest":    {`{"jsonrpc":"2.0","id":7,"method":"probe.large","params":{"bytes":9007199254740992.5}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.in(t).dial()
			c.Send("%s", test.sent)
			if test.want == "" {
				c.Rejected("7", -32602)
			} else {
				c.Expect("%s", test.want)
			}
			c.Quiet()
		})
	}
}

// TestNumbersComeBackAsTheyWereSent: an id, and a number that is passed on, may
// be beyond what a double holds exactly.
func TestNumbersComeBackAsTheyWereSent(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	for _, id := range []string{"9007199254740993", "-9223372036854775809", "123456789012345678901234567890", `"9007199254740993"`, `"\u0000"`, "-0"} {
		c.Send(`{"jsonrpc":"2.0","id":%s,"method":"probe.keep","params":{"raw":{"n":9007199254740993,"x":1e999}}}`, id)
		sub := c.Subscribed(id)
		if got := c.Item(sub, "data").Params.Result.Content; string(got) != `{"n":9007199254740993,"x":1e999}` {
			t.Errorf("%s came back", got)
		}
		c.Send(`{"jsonrpc":"2.0","id":0,"method":"hub.call_unsub","params":[%d]}`, sub)
		if f := c.Answered("0"); string(f.Result) != "true" {
			t.Error(f.Text)
		}
	}
}

// TestAClientThatCallsTooOftenIsAnsweredSlowly pipelines more calls than it may
// make at once: it gets every answer.
func TestAClientThatCallsTooOftenIsAnsweredSlowly(t *testing.T) {
	const calls, burst, rate = 1500, wire.MaxBatch, 100
	inMemoryWith(t, websocket.Limits{MaxCallsPerSecond: rate}, func(t *testing.T, s *server, c *client) {
		begin := time.Now()
		go func() { // ends with the calls
			for id := range calls {
				c.Send(`{"jsonrpc":"2.0","id":%d,"method":"none"}`, id)
			}
		}()
		for id := range calls {
			c.Rejected(strconv.Itoa(id), -32601)
		}
		if took, want := time.Since(begin), (calls-burst)*time.Second/rate; took < want-minWait || took > want {
			t.Errorf("answered after %v, want %v", took, want)
		}
	})
}

// minWait is the shortest time that a client is slowed down for.
const minWait = 5 * time.Millisecond
