// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// questionItem is what a client reads of a question, in both spellings.
type questionItem struct {
	RequestID   string          `json:"requestId"`
	RequestData json.RawMessage `json:"requestData"`
	TimeoutMS   int64           `json:"timeoutMs"`
	Request     json.RawMessage `json:"request"`
	ID          string          `json:"request_id"`
	Timeout     int64           `json:"timeout"`
}

// asked reads a frame, which must be the question of that stream, as clients
// of both kinds read it.
func (c *client) asked(subscription int64, message string) (id string) {
	c.t.Helper()
	f := c.Item(subscription, "request")
	var whole struct {
		Params struct{ Result json.RawMessage }
	}
	var q questionItem
	var members map[string]json.RawMessage
	for _, into := range []any{&q, &members} {
		if json.Unmarshal([]byte(f.Text), &whole) != nil || json.Unmarshal(whole.Params.Result, into) != nil {
			c.t.Fatalf("got %s", f.Text)
		}
	}
	want := []string{"metadata", "request", "requestData", "requestId", "request_id", "timeout", "timeoutMs", "type"}
	if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, want) {
		c.t.Errorf("the item has the members %q, want %q", got, want)
	}
	data := fmt.Sprintf(`{"type":"confirm","message":%q}`, message)
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(q.RequestID) || q.ID != q.RequestID ||
		string(q.RequestData) != data || string(q.Request) != data || q.TimeoutMS != 30_000 || q.Timeout != 30_000 {
		c.t.Errorf("got %s", whole.Params.Result)
	}
	return q.RequestID
}

func answerTo(id int, request, data string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"hub.respond","params":{"request_id":%q,"response_data":%s}}`, id, request, data)
}

const confirmed = `{"type":"confirmed","value":true}`

// afterAnswer is what the command line client waits for.
var afterAnswer = regexp.MustCompile(`^\{"jsonrpc":"2\.0","method":"hub\.respond","params":\{"subscription":\{"success":true\},` +
	`"result":\{"type":"done","metadata":\{"provenance":\[\],"plexus_hash":"[0-9a-f]{16}","timestamp":[0-9]{10}\}\}\}\}$`)

// answeredFor reads the two frames that answer a respond.
func (c *client) answeredFor(id int) {
	c.t.Helper()
	c.Expect(`{"jsonrpc":"2.0","id":%d,"result":{"success":true}}`, id)
	if text := c.Text(); !afterAnswer.MatchString(text) {
		c.t.Fatalf("got %s, want a done for the answer", text)
	}
}

// TestTheFirstQuestionLeavesLater than the answer, by which generated clients
// know its stream; a batch's as well, and beside streams that fill the queue.
func TestTheFirstQuestionLeavesLater(t *testing.T) {
	const ask = `{"jsonrpc":"2.0","id":1,"method":"probe.ask_twice","params":{"text":"Sure?"}}`
	for _, sent := range []string{ask, "[" + ask + "]"} {
		inMemory(t, func(t *testing.T, s *server, c *client) {
			c.Send("%s", sent)
			time.Sleep(time.Second) // nothing is read: the answer has not left
			f := testkit.ParseFrame(t, []byte(strings.Trim(c.Text(), "[]")))
			sub, _ := strconv.ParseInt(string(f.Result), 10, 64)
			begin := time.Now()
			id := c.asked(sub, "Sure?")
			if took := time.Since(begin); took != time.Millisecond {
				t.Errorf("the question came after %v", took)
			}
			begin = time.Now()
			c.Send("%s", answerTo(2, id, confirmed))
			for range 3 { // the answer, its done, and the next question
				c.Text()
			}
			if took := time.Since(begin); took != 0 {
				t.Errorf("the next question came after %v", took)
			}
		})
	}
}

// TestAQuestionOverTheWire states it frame by frame, answered on another
// connection, so that the order of the frames is known.
func TestAQuestionOverTheWire(t *testing.T) {
	s := serve(t, websocket.Limits{})
	asks, answers := s.dial(), s.dial()
	sub := asks.call(1, "probe.ask", `{"text":"Sure?"}`)
	id := asks.asked(sub, "Sure?")
	answers.Send("%s", answerTo(7, id, confirmed))
	answers.answeredFor(7)
	if f := asks.Item(sub, "data"); string(f.Params.Result.Content) != "true" {
		t.Errorf("got %s", f.Text)
	}
	asks.Item(sub, "done")
	asks.Quiet()
	answers.Send("%s", answerTo(8, id, confirmed))
	answers.Expect(`{"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"Unknown request ID: %s. The request may have timed out or been cancelled."}}`, id)
	answers.Quiet()
}

// TestAQuestionAnsweredWhereItWasAsked: the frames of the answer come in order,
// those of the stream among them.
func TestAQuestionAnsweredWhereItWasAsked(t *testing.T) {
	for _, batch := range []bool{false, true} {
		t.Run(fmt.Sprintf("in a batch: %v", batch), func(t *testing.T) {
			c := serve(t, websocket.Limits{}).dial()
			first, second := c.call(1, "probe.ask", `{"text":"one"}`), int64(0)
			one := c.asked(first, "one")
			second = c.call(2, "probe.ask", `{"text":"two"}`)
			two := c.asked(second, "two")
			if batch {
				c.Send("[%s,%s,%s]", answerTo(3, two, confirmed), answerTo(4, "none", confirmed), answerTo(5, one, confirmed))
			} else {
				c.Send("%s", answerTo(3, two, confirmed))
				c.Send("%s", answerTo(5, one, confirmed))
			}
			var direct, streams []string
			for range map[bool]int{false: 8, true: 7}[batch] {
				text := c.Text()
				if strings.Contains(text, `"method":"hub.call"`) {
					streams = append(streams, text)
				} else {
					direct = append(direct, text)
				}
			}
			if batch {
				want := `[{"jsonrpc":"2.0","id":3,"result":{"success":true}},{"jsonrpc":"2.0","id":4,"error":{"code":-32602,"message":"Unknown request ID: none. The request may have timed out or been cancelled."}},{"jsonrpc":"2.0","id":5,"result":{"success":true}}]`
				if len(direct) != 3 || direct[0] != want || !afterAnswer.MatchString(direct[1]) || !afterAnswer.MatchString(direct[2]) {
					t.Errorf("got %q", direct)
				}
			} else if len(direct) != 4 || direct[0] != `{"jsonrpc":"2.0","id":3,"result":{"success":true}}` || !afterAnswer.MatchString(direct[1]) ||
				direct[2] != `{"jsonrpc":"2.0","id":5,"result":{"success":true}}` || !afterAnswer.MatchString(direct[3]) {
				t.Errorf("got %q", direct)
			}
			if len(streams) != 4 {
				t.Errorf("the streams sent %q", streams)
			}
			c.Quiet()
		})
	}
}

// TestAnswersThatAreRefused: only the sender of an answer gets the error, and
// nothing follows.
func TestAnswersThatAreRefused(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	sub := c.call(1, "probe.ask", `{"text":"Sure?"}`)
	id := c.asked(sub, "Sure?")
	for _, test := range []struct {
		params, reason, data string
	}{
		{fmt.Sprintf(`{"request_id":%q,"response_data":{"type":"text","value":"yes"}}`, id), "response_data: expected an answer of type `confirmed` or `cancelled`", ""},
		{fmt.Sprintf(`{"request_id":%q,"response_data":{"type":"confirmed"}}`, id), "missing field: response_data.value", "missing field `response_data.value`"},
		{fmt.Sprintf(`{"request_id":%q}`, id), "response_data: invalid type: null, expected response", ""},
	} {
		c.Send(`{"jsonrpc":"2.0","id":2,"method":"hub.respond","params":%s}`, test.params)
		if f := c.Rejected("2", -32602); f.Error.Message != "Invalid params: "+test.reason || f.Error.Data != cmp.Or(test.data, test.reason) {
			t.Errorf("%s: got %s", test.params, f.Text)
		}
	}
	for _, params := range []string{`{}`, `null`, `[]`, `7`} {
		c.Send(`{"jsonrpc":"2.0","id":2,"method":"hub.respond","params":%s}`, params)
		c.Rejected("2", -32602)
	}
	c.Send(`{"jsonrpc":"2.0","method":"hub.respond","params":{"request_id":%q,"response_data":%s}}`, id, confirmed)
	c.Quiet() // a notification answers nothing
	c.Send("%s", answerTo(3, id, `{"type":"cancelled"}`))
	// The stream goes on beside the answer, so its end may come first.
	var ends, answers []string
	for range 3 {
		if text := c.Text(); strings.Contains(text, `"type":"error"`) {
			ends = append(ends, text)
		} else {
			answers = append(answers, text)
		}
	}
	if len(ends) != 1 || !strings.Contains(ends[0], "cancelled by the caller") {
		t.Errorf("the stream ended with %q", ends)
	}
	if len(answers) != 2 || answers[0] != `{"jsonrpc":"2.0","id":3,"result":{"success":true}}` || !afterAnswer.MatchString(answers[1]) {
		t.Errorf("got %q", answers)
	}
	c.Quiet()
}

// TestAQuestionOfAClientThatLeaves can't be answered any more.
func TestAQuestionOfAClientThatLeaves(t *testing.T) {
	s := serve(t, websocket.Limits{})
	asks, other := s.dial(), s.dial()
	id := asks.asked(asks.call(1, "probe.ask", `{"text":"Sure?"}`), "Sure?")
	asks.Close()
	testkit.Eventually(t, "the sessions to end", func() bool { return s.Connections() == 1 })
	other.Send("%s", answerTo(1, id, confirmed))
	other.Rejected("1", -32602)
}
