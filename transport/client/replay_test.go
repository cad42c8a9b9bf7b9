// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
)

// recordedItems are the items that a recorded request was answered with, or
// else the error.
func recordedItems(t *testing.T, e testkit.Exchange) (items []object, failure object) {
	t.Helper()
	for _, text := range e.Frames {
		var frame struct {
			Error  object
			Params struct{ Result object }
		}
		if err := json.Unmarshal(text, &frame); err != nil {
			t.Fatal(err)
		}
		if frame.Error != nil {
			return nil, frame.Error
		}
		if frame.Params.Result != nil {
			items = append(items, frame.Params.Result)
		}
	}
	return items, nil
}

// TestRecordings replays what a reference hub answered, byte for byte but for
// the ids of requests, to the calls that it was asked.
func TestRecordings(t *testing.T) {
	calls := 0
	for _, e := range testkit.Recordings(t) {
		if e.Request.ID != nil && replay(t, e) {
			calls++
		}
	}
	if calls < 90 {
		t.Errorf("only %d calls were replayed", calls)
	}
}

// replay makes a recorded call, if it is one that the client can make.
func replay(t *testing.T, e testkit.Exchange) bool {
	r := e.Request
	var asked struct {
		Method string
		Params json.RawMessage
	}
	if r.Method == "registry-hub.call" && json.Unmarshal(r.Params, &asked) != nil {
		return false
	}
	if r.Method == "registry-hub.call" && asked.Method == "" || r.Method == "registry-hub.respond" || len(e.Frames) == 0 ||
		r.Method != "registry-hub.call" && !strings.HasPrefix(r.Method, "registry-hub.hash") && r.Method != "registry-hub.schema" {
		return false
	}
	h := testkit.Pretend(t, func(c *peer) {
		c.Info("registry-hub")
		got := c.Next()
		if got == nil {
			return
		}
		if got.Method != r.Method {
			t.Errorf("the client called %s, want %s", got.Method, r.Method)
		}
		for i, frame := range e.Frames {
			if i == 0 { // the answer; its id is the recorded one
				var answer map[string]json.RawMessage
				_ = json.Unmarshal(frame, &answer)
				answer["id"], _ = json.Marshal(got.ID)
				frame, _ = json.Marshal(answer)
			}
			c.Send("%s", frame)
		}
		c.Gone()
	})
	c := dial(t, h)
	items, failure := recordedItems(t, e)
	switch r.Method {
	case "registry-hub.hash":
		hash, err := c.Hash(testkit.Context(t))
		if failure != nil {
			t.Errorf("%s: the recording is an error", r.Method)
		}
		if want := items[0]["content"].(object)["value"]; err != nil || hash != want {
			t.Errorf("%s: got %q, %v; want %q", r.Method, hash, err, want)
		}
	case "registry-hub.schema":
		schema, err := c.Schema(testkit.Context(t), "")
		if failure != nil {
			if err == nil {
				t.Errorf("%s: no error", r.Method)
			}
			return true
		}
		if want := items[0]["content"].(object)["hash"]; err != nil || schema.Hash != want {
			t.Errorf("%s: got %+v, %v; want %v", r.Method, schema, err, want)
		}
	case "registry-hub.call":
		if path, ok := strings.CutSuffix(asked.Method, ".schema"); ok && asked.Params == nil {
			if want, _ := items[0]["content"].(object); want["methods"] != nil {
				schema, err := c.Schema(testkit.Context(t), path)
				if err != nil || schema.Hash != want["hash"] || len(schema.Methods) != len(want["methods"].([]any)) {
					t.Errorf("%s: got %+v, %v; want %v", asked.Method, schema, err, want)
				}
				return true
			}
		}
		var params any
		if asked.Params != nil {
			params = asked.Params
		}
		compare(t, c, asked.Method, params, items, failure)
	default:
		return false
	}
	return true
}

// compare makes the call and compares what comes with what was recorded.
func compare(t *testing.T, c *client.Client, method string, params any, items []object, failure object) {
	t.Helper()
	n := 0
	for item, err := range c.Call(testkit.Context(t), method, params) {
		var rpc *client.Error
		var stream *client.Error
		switch {
		case errors.As(err, &rpc) && failure != nil:
			if float64(rpc.ErrorCode()) != failure["code"] || rpc.Message != failure["message"] {
				t.Errorf("%s: got %v, want %v", method, err, failure)
			}
			return
		case errors.As(err, &stream) && n < len(items):
			if want := items[n]; want["type"] != "error" || stream.Message != want["message"] || want["code"] != nil && stream.Code != want["code"] ||
				float64(stream.Metadata.Timestamp) != want["metadata"].(object)["timestamp"] {
				t.Errorf("%s: got %v, want %v", method, err, want)
			}
			return
		case err != nil || n == len(items):
			t.Errorf("%s: got %+v, %v", method, item, err)
			return
		}
		var content any
		if err := item.Decode(&content); err != nil {
			t.Errorf("%s: %v", method, err)
		}
		if want := items[n]; string(item.Kind) != want["type"] || item.ContentType != want["content_type"] || !reflect.DeepEqual(content, want["content"]) {
			t.Errorf("%s: got %+v, want %v", method, item, want)
		}
		n++
	}
	if failure != nil || n != len(items)-1 || items[n]["type"] != "done" {
		t.Errorf("%s: ended after %d items of %v", method, n, items)
	}
}
