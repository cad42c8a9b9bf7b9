// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestTranscripts holds the binary against the specification of the wire.
func TestTranscripts(t *testing.T) {
	for _, transcript := range testkit.Transcripts(t) {
		t.Run(transcript.Name, func(t *testing.T) {
			t.Parallel()
			replay(t, transcript)
		})
	}
}

// replay has the conversation with a registry of its own.
func replay(t *testing.T, transcript testkit.Transcript) {
	dir := t.TempDir()
	backends := filepath.Join(dir, "plexus", "backends.toml")
	if err := os.MkdirAll(filepath.Dir(backends), 0o700); err != nil {
		t.Fatal(err)
	}
	url := start(t, command(dir)).url
	contract := served(t, url)
	c, conn := connect(t, url), testkit.Dial(t, url)
	matcher := testkit.Matcher{Dir: filepath.Dir(transcript.Path)}
	for _, step := range transcript.Steps {
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
			c.want(t, "backend_registered", "registry.register", step.Given)
		default:
			if err := conn.WriteMessage(websocket.TextMessage, []byte(*step.Send)); err != nil {
				t.Fatal(err)
			}
			var frames []json.RawMessage
			for _, want := range step.Want {
				got := json.RawMessage(conn.Text())
				if err := matcher.Match(want, got); err != nil {
					t.Fatalf("line %d: %s\n%v\nthe frame: %s", step.Line, *step.Send, err, got)
				}
				frames = append(frames, got)
			}
			if err := contract.checkExchange(*step.Send, frames); err != nil {
				t.Errorf("line %d: %v", step.Line, err)
			}
		}
	}
	conn.Quiet() // nothing came after the last expected frame
}

// TestRecordingsKeepTheContract holds what the reference registry was sent and
// has answered against the schemas that this one serves: code that a client
// generated from the latter reads the former.
func TestRecordingsKeepTheContract(t *testing.T) {
	t.Parallel()
	contract := served(t, start(t, command(t.TempDir())).url)
	contract.params = nil // it accepted more: a port 0, any protocol
	for _, e := range testkit.Recordings(t) {
		if err := contract.checkExchange(e.Sent, e.Frames); err != nil {
			t.Errorf("%s: %s: %v", e.Recording, e.Sent, err)
		}
	}
}
