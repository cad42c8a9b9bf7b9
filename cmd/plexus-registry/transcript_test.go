// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

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
	url := start(t, command(dir)).url
	contract := served(t, dial(t, url))
	ws := dial(t, url)
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
			var frames []map[string]any
			for _, want := range step.Want {
				got := receive(t, ws)
				frames = append(frames, got)
				if err := matcher.Match(want, got); err != nil {
					text, _ := json.Marshal(got)
					t.Fatalf("line %d: %s\n%v\nthe frame: %s", step.Line, *step.Send, err, text)
				}
			}
			var request map[string]any
			if json.Unmarshal([]byte(*step.Send), &request) != nil {
				continue // not an object, which was what the step is about
			}
			if err := contract.checkExchange(request, frames); err != nil {
				t.Errorf("line %d: %v", step.Line, err)
			}
		}
	}
}
