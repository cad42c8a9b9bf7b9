// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
)

// asks is a hub whose method asks one question, and answers with the answer and
// the id of the request.
func asks(t testing.TB, question string) string {
	return testkit.Pretend(t, func(c *peer) {
		c.Info("h")
		for c.Called("7") != nil {
			c.Item("7", question)
			r := c.Next()
			if r == nil {
				return
			}
			if r.Method != "h.respond" {
				t.Errorf("the client sent %s", r.Text)
			}
			// As hubs do that please every client.
			c.Send(`{"jsonrpc":"2.0","id":%d,"result":{"success":true}}`, r.ID)
			c.Item(`{"success":true}`, done)
			answer, _ := json.Marshal(object{"id": r.Params.RequestID, "response": r.Params.ResponseData})
			c.Item("7", data(string(answer)))
			c.Item("7", done)
		}
	})
}

func TestQuestionsAreAnswered(t *testing.T) {
	tests := []struct {
		name, item string
		answer     func(q client.Question) any
		want       client.Question
		received   string
	}{
		{
			"confirm, as the newest hubs ask", `"type":"request","requestId":"r1","requestData":{"type":"confirm","message":"Sure?","default":true},"timeoutMs":30000`,
			func(client.Question) any { return true },
			client.Question{Kind: client.Confirm, Message: "Sure?", Default: json.RawMessage("true"), Timeout: 30 * time.Second},
			`{"id":"r1","response":{"type":"confirmed","value":true}}`,
		},
		{
			"prompt, as older hubs ask", `"type":"request",` + meta + `,"request_id":"r1","request":{"type":"prompt","message":"Name?","default":null,"placeholder":"you"},"timeout":500`,
			func(client.Question) any { return "me" },
			client.Question{Kind: client.Prompt, Message: "Name?", Placeholder: "you", Timeout: 500 * time.Millisecond},
			`{"id":"r1","response":{"type":"text","value":"me"}}`,
		},
		{
			"select, in both spellings", `"type":"request",` + meta + `,"requestId":"r1","request_id":"r1","requestData":{"type":"select","message":"Which?","options":[{"value":"a","label":"A"},{"value":2,"label":"B","description":"two"}],"multi_select":true},"request":null,"timeoutMs":0,"timeout":null`,
			func(q client.Question) any {
				return []json.RawMessage{q.Options[0].Value, q.Options[1].Value}
			},
			client.Question{Kind: client.Select, Message: "Which?", MultiSelect: true, Options: []client.Choice{
				{Value: json.RawMessage(`"a"`), Label: "A"}, {Value: json.RawMessage("2"), Label: "B", Description: "two"}}},
			`{"id":"r1","response":{"type":"selected","values":["a",2]}}`,
		},
		{
			"custom", `"type":"request","requestId":7,"requestData":{"type":"custom","data":{"x":1}}`,
			func(q client.Question) any { return q.Data },
			client.Question{Kind: client.Custom, Data: json.RawMessage(`{"x":1}`)},
			`{"id":"7","response":{"data":{"x":1},"type":"custom"}}`,
		},
		{
			"nothing chosen", `"type":"request","requestId":"r1","requestData":{"type":"select"}`,
			func(q client.Question) any { return []string{} },
			client.Question{Kind: client.Select},
			`{"id":"r1","response":{"type":"selected","values":[]}}`,
		},
		{
			"of an unknown kind", `"type":"request","requestId":"r1","requestData":[1]`,
			func(q client.Question) any { return nil },
			client.Question{},
			`{"id":"r1","response":{"type":"cancelled"}}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := asks(t, test.item)
			var got client.Question
			c := dial(t, h, client.WithAnswers(func(ctx context.Context, q client.Question) (any, error) {
				got = q
				if _, ok := ctx.Deadline(); !ok {
					t.Error("the callback has no deadline")
				}
				return test.answer(q), nil
			}))
			received, err := client.CallOne[json.RawMessage](testkit.Context(t), c, "x.y", nil)
			if err != nil || string(received) != test.received {
				t.Errorf("got %s, %v; want %s", received, err, test.received)
			}
			test.want.Method = "x.y"
			if test.want.Data == nil {
				got.Data = nil // has all of it
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestUnansweredQuestionsAreCancelled(t *testing.T) {
	url := asks(t, `"type":"request","requestId":"r","requestData":{"type":"confirm"},"timeoutMs":20`)
	gone := errors.New("the terminal is gone")
	for name, test := range map[string]struct {
		answer func(ctx context.Context, q client.Question) (any, error)
		fails  bool
		err    error
	}{
		"no callback": {},
		"its time is up": {answer: func(ctx context.Context, _ client.Question) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
		"it fails":      {func(context.Context, client.Question) (any, error) { return true, gone }, true, gone},
		"it is no JSON": {func(context.Context, client.Question) (any, error) { return func() {}, nil }, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var options []client.Option
			if test.answer != nil {
				options = append(options, client.WithAnswers(test.answer))
			}
			answer, err := client.CallOne[json.RawMessage](testkit.Context(t), dial(t, url, options...), "x.y", nil)
			if test.fails != (err != nil) || test.err != nil && !errors.Is(err, test.err) ||
				err == nil && string(answer) != `{"id":"r","response":{"type":"cancelled"}}` {
				t.Errorf("got %s, %v", answer, err)
			}
		})
	}
}
