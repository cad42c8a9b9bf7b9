// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"fmt"
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

// TestNumbersComeBackAsTheyWereSent: an id, and a number that is passed on, may
// be beyond what a double holds exactly.
func TestNumbersComeBackAsTheyWereSent(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	for _, id := range []string{
		`0`, `-0`, `-1`, `9007199254740993`, `18446744073709551616`, `-9223372036854775809`, `123456789012345678901234567890`,
		`""`, `"a\u0041\n"`, `"9007199254740993"`, `"\u0000"`, `null`,
	} {
		c.Send(`{"jsonrpc":"2.0","id":%s,"method":"probe.keep","params":{"raw":{"n":9007199254740993,"x":1e999}}}`, id)
		sub := c.Subscribed(id)
		if got := c.Item(sub, "data").Params.Result.Content; string(got) != `{"n":9007199254740993,"x":1e999}` {
			t.Errorf("%s came back", got)
		}
		c.unsubscribed("hub.call_unsub", sub, true)
		c.Send(`{"jsonrpc":"2.0","id":%s,"method":"none"}`, id)
		c.Rejected(id, -32601)
	}
}

// TestBadMessagesAreAnsweredAndTheConnectionLives: each has exactly one answer,
// also those that two readers of JSON may read differently.
func TestBadMessagesAreAnsweredAndTheConnectionLives(t *testing.T) {
	const head, direct = `{"jsonrpc":"2.0","id":1`, `{"jsonrpc":"2.0","id":1,"method":"echo.once"`
	const parseError, invalid, tooDeep = "Parse error", "Invalid request", "Invalid request: the message is nested deeper than 64 levels, the limit"
	large, deep := strings.Repeat("x", 1<<20), strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)
	s := serve(t, websocket.Limits{})
	for _, test := range []struct {
		name, send, id string
		code           int
		want           string // the message, and the data; "" is not checked
	}{
		{"no JSON", head + `,`, "null", -32700, parseError},
		{"empty", ``, "null", -32700, parseError},
		{"an id twice", head + `,"id":2,"method":"echo.once","params":["x"]}`, "null", -32700, parseError + ": a name stands twice in one object: /id"},
		{"a method twice", direct + `,"method":"probe.panic","params":["x"]}`, "1", -32700, parseError + ": a name stands twice in one object: /method"},
		{"an inner method twice", head + `,"method":"hub.call","params":{"method":"echo.once","method":"probe.panic"}}`, "1", -32700, parseError + ": a name stands twice in one object: /params/method"},
		{"half a surrogate pair", direct + `,"params":["\ud800"]}`, "1", -32700, parseError + ": text that is not Unicode: /params/0"},
		{"id is a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"_info"}`, "null", -32600, invalid},
		{"no version", `{"id":1,"method":"_info"}`, "1", -32600, invalid},
		{"another case", head + `,"Method":"echo.once","params":["x"]}`, "1", -32600, invalid},
		{"empty batch", `[]`, "null", -32600, invalid},
		{"100,000 levels", direct + `,"params":` + deep + `}`, "1", -32600, tooDeep},
		{"100,000 levels before the id", `{"jsonrpc":"2.0","params":` + deep + `,"id":1}`, "1", -32600, tooDeep},
		{"100,000 levels in a batch", `[` + deep + `]`, "null", -32600, tooDeep},
		{"too long an id", `{"jsonrpc":"2.0","id":"` + large + `","method":"echo.once"}`, "null", -32600, "Invalid request: the id is longer than 256 bytes"},
		{"too long a method", head + `,"method":"` + large + `"}`, "1", -32600, "Invalid request: the method's name is longer than 1024 bytes"},
		{"unknown method", head + `,"method":"registry_list"}`, "1", -32601, "Method not found"},
		{"a zero byte in the method", head + `,"method":"echo.once\u0000"}`, "1", -32601, "Method not found"},
		{"call of nothing", head + `,"method":"hub.call"}`, "1", -32602, ""},
		{"direct without params", head + `,"method":"echo_once","params":{}}`, "1", -32602, ""},
		{"a number beyond a double", head + `,"method":"probe.large","params":{"bytes":1e999}}`, "1", -32602, ""},
		{"an integer beyond 64 bits", head + `,"method":"probe.large","params":{"bytes":9223372036854775808}}`, "1", -32602, ""},
		{"an integer with a rest", head + `,"method":"probe.large","params":{"bytes":9007199254740992.5}}`, "1", -32602, ""},
		{"respond to nothing", head + `,"method":"hub.respond","params":{"request_id":"r","response_data":{}}}`, "1", -32602, "Unknown request ID: r. The request may have timed out or been cancelled."},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := s.in(t).dial()
			c.Send("%s", test.send)
			f := c.Rejected(test.id, test.code)
			got := strings.TrimSuffix(fmt.Sprintf("%s: %v", f.Error.Message, f.Error.Data), ": <nil>")
			if test.want != "" && got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			c.Quiet()
		})
	}
}

// TestAnswersAreDropped: two peers could answer each other for ever.
func TestAnswersAreDropped(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	for _, answer := range []string{
		`{"jsonrpc":"2.0","id":1,"result":true}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}`,
		`[{"jsonrpc":"2.0","id":1,"result":true},{"jsonrpc":"2.0","id":2,"error":{}}]`, `{"jsonrpc":"2.0","id":1,"result":["\ud800"]}`,
	} {
		c.Send("%s", answer)
		c.Quiet()
	}
}

// TestTextThatIsNotUTF8 closes the connection, unless it was not sent as text.
func TestTextThatIsNotUTF8(t *testing.T) {
	s := serve(t, websocket.Limits{})
	message := []byte(strings.Replace(onceRequest, "hello", "h\xffllo", 1))
	half := strings.Replace(onceRequest, "hello", "h\xc3\xa9llo", 1)
	cut := strings.IndexByte(half, 0xa9)
	for name, sent := range map[string][]byte{
		"one frame":     masked(textFrame, true, message),
		"not JSON":      masked(textFrame, true, []byte("\xc0\x80")),
		"a surrogate":   masked(textFrame, true, []byte("\"\xed\xa0\x80\"")),
		"its end":       masked(textFrame, true, []byte(half[:cut])),
		"fragments":     append(masked(textFrame, false, message[:20]), masked(continueFrame, true, message[20:])...),
		"beside others": append(masked(textFrame, true, []byte("\xff")), writes(20)...),
	} {
		c := s.in(t).dial()
		c.write(sent)
		if got := c.Closed(); got != gorilla.CloseInvalidFramePayloadData {
			t.Errorf("%s: closed with %d", name, got)
		}
	}
	testkit.Eventually(t, "the connections to end", func() bool { return s.Connections() == 0 })
	c := s.dial()
	c.write(append(masked(textFrame, false, []byte(half[:cut])), masked(continueFrame, true, []byte(half[cut:]))...))
	c.served(c.Subscribed("7"))
	c.WriteMessage(gorilla.BinaryMessage, message)
	c.Rejected("7", -32700)
	c.Quiet()
}

func TestUnsubscribeFromWhatIsNone(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	for _, params := range []string{
		`,"params":["x"]`, ``, `,"params":null`, `,"params":[]`, `,"params":{}`, `,"params":[1,2]`, `,"params":[0]`, `,"params":[-1]`, `,"params":["5"]`,
		`,"params":[null]`, `,"params":[true]`, `,"params":[1.5]`, `,"params":[123456789012345678901234567890]`, `,"params":{"subscription":1}`, `,"params":""`,
	} {
		for _, method := range []string{"hub.call_unsub", "_info_unsub", "echo_unsubscribe_once"} {
			c.Send(`{"jsonrpc":"2.0","id":"unsub","method":%q%s}`, method, params)
			c.Expect(`{"jsonrpc":"2.0","id":"unsub","result":false}`)
		}
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
