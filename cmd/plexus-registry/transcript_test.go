// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/transcript"
)

const transcripts = "../../testdata/transcripts"

// TestTranscripts holds the binary against the specification of the wire.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(transcripts, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := transcript.Parse(string(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			replay(t, steps)
		})
	}
}

// replay has the conversation with a registry of its own.
func replay(t *testing.T, steps []transcript.Step) {
	dir := t.TempDir()
	backends := filepath.Join(dir, "plexus", "backends.toml")
	if err := os.MkdirAll(filepath.Dir(backends), 0o700); err != nil {
		t.Fatal(err)
	}
	ws := dial(t, start(t, dir).url)
	matcher := transcript.Matcher{Dir: transcripts}
	// A last exchange shows that nothing came after the last expected frame.
	final, err := transcript.Parse(`--> {"jsonrpc": "2.0", "id": "last", "method": "nope"}
<-- {"jsonrpc": "2.0", "id": "last", "error": {"code": -32601, "message": "Method not found"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range append(steps, final...) {
		matcher.Next()
		switch {
		case step.SetsFile:
			var err error
			if step.File == nil {
				err = os.Remove(backends)
			} else {
				err = os.WriteFile(backends, step.File, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		case step.Given != nil:
			register(t, ws, step.Given)
		default:
			if err := ws.WriteMessage(websocket.TextMessage, []byte(*step.Send)); err != nil {
				t.Fatal(err)
			}
			for _, want := range step.Want {
				got := receive(t, ws)
				if err := matcher.Match(want, got); err != nil {
					text, _ := json.Marshal(got)
					t.Fatalf("line %d: %s\n%v\nthe frame: %s", step.Line, *step.Send, err, text)
				}
			}
		}
	}
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	return ws
}

func receive(t *testing.T, ws *websocket.Conn) map[string]any {
	t.Helper()
	var frame any
	if err := ws.ReadJSON(&frame); err != nil {
		t.Fatal(err)
	}
	object, ok := frame.(map[string]any)
	if !ok {
		return map[string]any{"array": frame}
	}
	return object
}

// items sends a request and returns the items of its stream, up to the last.
func items(t *testing.T, ws *websocket.Conn, request any) []map[string]any {
	t.Helper()
	if err := ws.WriteJSON(request); err != nil {
		t.Fatal(err)
	}
	answer := receive(t, ws)
	if answer["error"] != nil {
		t.Fatalf("%v is answered %v", request, answer)
	}
	var items []map[string]any
	for {
		frame := receive(t, ws)
		params, _ := frame["params"].(map[string]any)
		if params["subscription"] != answer["result"] {
			t.Fatalf("a frame of another stream: %v", frame)
		}
		item := params["result"].(map[string]any)
		items = append(items, item)
		if item["type"] == "done" || item["type"] == "error" {
			return items
		}
	}
}

// call makes a call through the hub's call and returns the first item.
func call(t *testing.T, ws *websocket.Conn, method string, params any) map[string]any {
	t.Helper()
	return items(t, ws, map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "registry-hub.call",
		"params": map[string]any{"method": method, "params": params},
	})[0]
}

func register(t *testing.T, ws *websocket.Conn, params any) {
	t.Helper()
	item := call(t, ws, "registry.register", params)
	if content, ok := item["content"].(map[string]any); !ok || content["type"] != "backend_registered" {
		t.Fatalf("register %v: %v", params, item)
	}
}
