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

// The reference hub's answers are replayed byte for byte but for the ids of
// requests.
func TestWhatTheReferenceHubAnsweredIsUnderstood(t *testing.T) {
	calls := 0
	for _, e := range testkit.Recordings(t) {
		if e.Request.ID != nil && len(e.Frames) > 0 && replay(t, e) {
			calls++
		}
	}
	if calls < 90 {
		t.Errorf("only %d calls were replayed", calls)
	}
}

// replay makes a recorded call, if it is one that the client can make.
func replay(t *testing.T, e testkit.Exchange) bool {
	var asked struct {
		Method string
		Params json.RawMessage
	}
	switch e.Request.Method {
	case "registry-hub.call":
		if json.Unmarshal(e.Request.Params, &asked) != nil || asked.Method == "" {
			return false
		}
	case "registry-hub.hash", "registry-hub.schema":
	default:
		return false
	}
	url := testkit.Pretend(t, func(c *peer) {
		c.Info("registry-hub")
		got := c.Next()
		if got == nil {
			return
		}
		if got.Method != e.Request.Method {
			t.Errorf("the client called %s, want %s", got.Method, e.Request.Method)
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
	c := dial(t, url)
	ctx := testkit.Context(t)
	items, failure := recordedItems(t, e)
	var want object // of a hash or a schema
	if len(items) > 0 {
		want, _ = items[0]["content"].(object)
	}
	path, isSchema := strings.CutSuffix(asked.Method, ".schema")
	switch {
	case e.Request.Method == "registry-hub.hash":
		if hash, err := c.Hash(ctx); err != nil || hash != want["value"] {
			t.Errorf("hash: got %q, %v; want %v", hash, err, want)
		}
	case asked.Method == "" || isSchema && asked.Params == nil && want["methods"] != nil:
		schema, err := c.Schema(ctx, path)
		if methods, _ := want["methods"].([]any); failure != nil && err == nil ||
			failure == nil && (err != nil || schema.Hash != want["hash"] || len(schema.Methods) != len(methods)) {
			t.Errorf("schema of %q: got %+v, %v; want %v", path, schema, err, want)
		}
	default:
		var params any
		if asked.Params != nil {
			params = asked.Params
		}
		compare(t, c, asked.Method, params, items, failure)
	}
	return true
}

// compare makes the call and compares its items with those that were recorded.
func compare(t *testing.T, c *client.Client, method string, params any, items []object, failure object) {
	t.Helper()
	n := 0
	for item, err := range c.Call(testkit.Context(t), method, params) {
		var refused *client.Error
		switch {
		case errors.As(err, &refused) && failure != nil:
			if float64(refused.ErrorCode()) != failure["code"] || refused.Message != failure["message"] {
				t.Errorf("%s: got %v, want %v", method, err, failure)
			}
			return
		case n == len(items):
			t.Errorf("%s: got %+v, %v", method, item, err)
			return
		}
		want := items[n]
		if refused != nil {
			if want["type"] != "error" || refused.Message != want["message"] || want["code"] != nil && refused.Code != want["code"] ||
				float64(refused.Metadata.Timestamp) != want["metadata"].(object)["timestamp"] {
				t.Errorf("%s: got %v, want %v", method, err, want)
			}
			return
		}
		var content any
		if err = errors.Join(err, item.Decode(&content)); err != nil || string(item.Kind) != want["type"] ||
			item.ContentType != want["content_type"] || !reflect.DeepEqual(content, want["content"]) {
			t.Errorf("%s: got %+v, %v; want %v", method, item, err, want)
		}
		n++
	}
	if failure != nil || n != len(items)-1 || items[n]["type"] != "done" {
		t.Errorf("%s: ended after %d items of %v", method, n, items)
	}
}
