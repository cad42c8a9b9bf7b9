// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/transport/websocket"
)

// batch sends members as one array and reads the array that answers them.
func (c *client) batch(members ...string) (answers []testkit.Frame) {
	c.t.Helper()
	c.Send("[%s]", strings.Join(members, ","))
	text := c.Text()
	if err := json.Unmarshal([]byte(text), &answers); err != nil {
		c.t.Fatalf("got %s, want an array: %v", text, err)
	}
	return answers
}

const blockMember = `{"jsonrpc":"2.0","id":%d,"method":"probe.block"}`

func TestBatchIsAnsweredBeforeItsItems(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	for range 20 {
		answers := c.batch(
			`{"jsonrpc":"2.0","id":"a","method":"echo_once","params":["one"]}`,
			`{"jsonrpc":"2.0","method":"echo_once","params":["a notification starts nothing"]}`,
			`7`,
			`{"jsonrpc":"2.0","id":1,"method":"none"}`,
			`{"jsonrpc":"2.0","id":2,"method":"hub.call","params":{"method":"echo.once","params":{"message":"two"}}}`,
			`{"jsonrpc":"2.0","id":"b","method":"echo_once","params":[]}`,
			`{"id":3}`,
		)
		got := ""
		for _, f := range answers {
			if got += string(f.ID); f.Error != nil {
				got += fmt.Sprintf(" %d %s %v", f.Error.Code, f.Error.Message, f.Error.Data)
			}
			got += "; "
		}
		if want := `"a"; null -32600 Invalid request <nil>; 1 -32601 Method not found <nil>; 2; ` +
			`"b" -32602 Invalid params No more params; 3 -32600 Invalid request <nil>; `; got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		ended := map[string]int{}
		for range 4 {
			f := c.Next()
			if f.Method == "" {
				t.Fatalf("got %s", f.Text)
			}
			ended[string(f.Params.Subscription)+f.Params.Result.Type]++
		}
		for _, f := range []testkit.Frame{answers[0], answers[3]} {
			for _, kind := range []string{"data", "done"} {
				if ended[string(f.Result)+kind] != 1 {
					t.Errorf("%s: %d %s items, want 1", f.ID, ended[string(f.Result)+kind], kind)
				}
			}
		}
		c.Quiet()
	}
}

// TestABatchThatIsTooDeep is refused whole, and each of its requests answered.
func TestABatchThatIsTooDeep(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	answers := c.batch(`{"jsonrpc":"2.0","id":1,"method":"_info"}`, `5`,
		`{"jsonrpc":"2.0","method":"echo.once","params":[`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`],"id":"b"}`)
	if len(answers) != 2 || string(answers[0].ID) != "1" || string(answers[1].ID) != `"b"` || answers[0].Error == nil || answers[1].Error == nil {
		t.Fatalf("%+v", answers)
	}
	c.Quiet()
}

func TestBatchOfNotificationsIsNotAnswered(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	c.Send(`[{"jsonrpc":"2.0","method":"_info"},{"jsonrpc":"2.0","method":"none"}]`)
	c.Quiet()
}

func TestBatchWithMoreCallsThanMayRun(t *testing.T) {
	s := serve(t, websocket.Limits{MaxCalls: 4, CallWait: time.Hour})
	c := s.dial()
	members := make([]string, 6)
	for i := range members {
		members[i] = fmt.Sprintf(blockMember, i)
	}
	// They start when all are answered, and the rest as others end.
	answers := c.batch(members...)
	for range 4 {
		if f := c.Next(); f.Params.Result.Type != "data" {
			t.Errorf("got %s", f.Text)
		}
	}
	c.Quiet()
	if n := s.probe.running.Load(); n != 4 {
		t.Errorf("%d streams run, want 4", n)
	}
	for i, f := range answers {
		if f.Error != nil {
			t.Fatalf("member %d: %+v", i, f)
		}
		c.Send(`{"jsonrpc":"2.0","id":"unsub","method":"hub.call_unsub","params":[%s]}`, f.Result)
		got := c.Next().Text
		if i < 2 { // another starts, before the answer or after it
			got += c.Next().Text
		}
		if !strings.Contains(got, `"id":"unsub","result":true`) || strings.Contains(got, `"type":"data"`) != (i < 2) {
			t.Errorf("%d: %s", i, got)
		}
	}
	testkit.Eventually(t, "the streams to end", func() bool { return s.probe.running.Load() == 0 })
	c.Quiet()
}

// TestALargeBatchRuns, whatever may run at once, and whoever else does.
func TestALargeBatchRuns(t *testing.T) {
	const streams = 200
	for _, method := range []string{"_info", "echo.once"} {
		t.Run(method, func(t *testing.T) {
			s := serve(t, websocket.Limits{CallWait: time.Hour})
			c := s.dial()
			for id := range streams {
				c.Send(blockMember, id)
				c.Item(c.Subscribed(fmt.Sprint(id)), "data")
			}
			members := make([]string, wire.MaxBatch)
			for i := range members {
				members[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":["x"]}`, i, method)
			}
			ends := map[string]bool{}
			for i, f := range c.batch(members...) {
				if f.Error != nil {
					t.Fatalf("member %d: %s", i, f.Error.Message)
				}
				ends[string(f.Result)] = true
			}
			for len(ends) > 0 {
				if f := c.Next(); f.Params.Result.Type == "done" {
					delete(ends, string(f.Params.Subscription))
				}
			}
			c.Quiet()
			if n := s.probe.running.Load(); n != streams {
				t.Errorf("%d streams run", n)
			}
		})
	}
}

// TestABatchOfCallsThatNeverWait runs beside as many streams as there may be.
func TestABatchOfCallsThatNeverWait(t *testing.T) {
	c := serve(t, websocket.Limits{MaxCalls: 2, CallWait: time.Millisecond}).dial()
	for id := range 2 {
		c.Send(blockMember, id)
		c.Item(c.Subscribed(fmt.Sprint(id)), "data")
	}
	answers := c.batch(slices.Repeat([]string{`{"jsonrpc":"2.0","id":1,"method":"_info"}`}, 5)...)
	for i, f := range answers {
		if f.Error != nil {
			t.Fatalf("member %d: %+v", i, f)
		}
	}
	for range 2 * len(answers) {
		c.Next()
	}
	c.Quiet()
}

// TestCallsAreRefusedWhileABatchWaits: what waits is bounded.
func TestCallsAreRefusedWhileABatchWaits(t *testing.T) {
	c := serve(t, websocket.Limits{MaxCalls: 2, CallWait: time.Millisecond}).dial()
	members := slices.Repeat([]string{fmt.Sprintf(blockMember, 1)}, 5)
	c.batch(members...)
	for range 2 {
		c.Next()
	}
	for _, f := range c.batch(members...) {
		if f.Error == nil || f.Error.Code != -32029 {
			t.Errorf("%+v", f)
		}
	}
}

func TestBatchWaitsForCallsThatEnd(t *testing.T) {
	s := serve(t, websocket.Limits{MaxCalls: 2, CallWait: time.Hour})
	c := s.dial()
	// The calls before have sent their last items, but may not have returned.
	for i := range 200 {
		if answers := c.batch(
			`{"jsonrpc":"2.0","id":1,"method":"echo.once","params":{"message":"a"}}`,
			`{"jsonrpc":"2.0","id":2,"method":"echo.once","params":{"message":"b"}}`,
		); answers[0].Error != nil || answers[1].Error != nil {
			t.Fatalf("batch %d: %+v", i, answers)
		}
		for range 4 {
			c.Next()
		}
	}
}

func TestBatchHoldsUnsubscriptions(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	sub := c.call(1, "probe.block", "{}")
	c.Item(sub, "data")
	unsub := fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"hub.call_unsub","params":[%d]}`, sub)
	answers := c.batch(unsub, unsub)
	if string(answers[0].Result) != "true" || string(answers[1].Result) != "false" {
		t.Errorf("got %+v", answers)
	}
	testkit.Eventually(t, "the stream to end", func() bool { return s.probe.running.Load() == 0 })
	c.Quiet()
}
