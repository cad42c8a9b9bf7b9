// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
)

// The reference hub's answers are replayed byte for byte but for the ids of
// requests.
func TestWhatTheReferenceHubAnsweredIsUnderstood(t *testing.T) {
	calls := 0
	for _, e := range testkit.Recordings(t) {
		method, _ := e.Request.Call()
		switch e.Request.Method {
		case "registry-hub.hash", "registry-hub.schema":
		case "registry-hub.call":
			if method == "" || method == e.Request.Method {
				continue
			}
		default:
			continue
		}
		if e.Request.ID != nil && len(e.Frames) > 0 {
			calls++
			replay(t, e)
		}
	}
	if calls < 90 {
		t.Errorf("only %d calls were replayed", calls)
	}
}

// replay makes a recorded call, and compares what it returns with what was
// recorded.
func replay(t *testing.T, e testkit.Exchange) {
	c := dial(t, testkit.Pretend(t, func(c *peer) {
		c.Info("registry-hub")
		got := c.Next()
		if got == nil {
			return
		}
		if got.Method != e.Request.Method {
			t.Errorf("the client called %s, want %s", got.Method, e.Request.Method)
		}
		var answer map[string]json.RawMessage
		_ = json.Unmarshal(e.Frames[0], &answer)
		answer["id"], _ = json.Marshal(got.ID)
		text, _ := json.Marshal(answer)
		c.Send("%s", text)
		for _, frame := range e.Frames[1:] {
			c.Send("%s", frame)
		}
		c.Gone()
	}))
	items, refused := e.Items(t)
	var want object // of a hash or a schema
	if len(items) > 0 {
		want = items[0].Object()
	}
	method, params := e.Request.Call()
	path, isSchema := strings.CutSuffix(method, ".schema")
	if e.Request.Method == method {
		path = "" // the hub's own
	}
	switch {
	case e.Request.Method == "registry-hub.hash":
		if hash, err := c.Hash(testkit.Context(t)); err != nil || hash != want["value"] {
			t.Errorf("hash: got %q, %v; want %v", hash, err, want)
		}
	case isSchema && (path == "" || params == nil && want["methods"] != nil):
		schema, err := c.Schema(testkit.Context(t), path)
		if methods, _ := want["methods"].([]any); refused != nil && err == nil ||
			refused == nil && (err != nil || schema.Hash != want["hash"] || len(schema.Methods) != len(methods)) {
			t.Errorf("schema of %q: got %+v, %v; want %v", path, schema, err, want)
		}
	default:
		compare(t, c, method, params, items, refused)
	}
}

// compare makes the call and compares its items with those that were recorded.
func compare(t *testing.T, c *client.Client, method string, params any, items []testkit.Item, refused *testkit.Error) {
	t.Helper()
	n := 0
	for item, err := range c.Call(testkit.Context(t), method, params) {
		failed, _ := errors.AsType[*client.Error](err)
		if failed != nil && refused != nil {
			if failed.ErrorCode() != refused.Code || failed.Message != refused.Message {
				t.Errorf("%s: got %v, want %v", method, err, refused)
			}
			return
		}
		if n == len(items) {
			t.Errorf("%s: got %+v, %v", method, item, err)
			return
		}
		want := items[n]
		if failed != nil {
			if want.Type != "error" || failed.Message != want.Message || want.Code != "" && failed.Code != want.Code ||
				failed.Metadata.Timestamp != want.Metadata.Timestamp {
				t.Errorf("%s: got %v, want %v", method, err, want)
			}
			return
		}
		if err != nil || string(item.Kind) != want.Type || item.ContentType != want.ContentType || content(item) != string(want.Content) {
			t.Errorf("%s: got %+v, %v; want %v", method, item, err, want)
		}
		n++
	}
	if refused != nil || n != len(items)-1 || items[n].Type != "done" {
		t.Errorf("%s: ended after %d items of %v", method, n, items)
	}
}
