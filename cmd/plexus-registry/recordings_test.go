// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/transcript"
)

const recordings = "../../testdata/wire"

// recorded is one frame of a recording, as a client saw it.
type recorded struct {
	Dir   string          `json:"dir"`
	Frame json.RawMessage `json:"frame"`
}

func (r recorded) text(t *testing.T) string {
	t.Helper()
	if r.Frame[0] != '"' {
		return string(r.Frame)
	}
	var text string // what was sent is not JSON, or not an object
	if err := json.Unmarshal(r.Frame, &text); err != nil {
		t.Fatal(err)
	}
	return text
}

// forEachRecording reads the recordings of the reference registry.
func forEachRecording(t *testing.T, visit func(t *testing.T, frames []recorded)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recordings, "*.jsonl"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d recordings: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var frames []recorded
			lines := bufio.NewScanner(bytes.NewReader(text))
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				var r recorded
				if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
					t.Fatal(err)
				}
				frames = append(frames, r)
			}
			if lines.Err() != nil || len(frames) == 0 {
				t.Fatalf("%d frames: %v", len(frames), lines.Err())
			}
			visit(t, frames)
		})
	}
}

// TestRecordingsAreReplayed finds the recording that no transcript holds.
func TestRecordingsAreReplayed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(transcripts, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	var values []any
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := transcript.Parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, step := range steps {
			if step.Send == nil {
				continue
			}
			texts[*step.Send] = true
			if value, ok := exactly(*step.Send); ok {
				values = append(values, value)
			}
		}
	}
	forEachRecording(t, func(t *testing.T, frames []recorded) {
		for _, frame := range frames {
			if frame.Dir != "send" || texts[frame.text(t)] {
				continue
			}
			found := false
			if value, ok := exactly(string(frame.Frame)); ok && frame.Frame[0] != '"' {
				for _, v := range values {
					found = found || reflect.DeepEqual(v, value)
				}
			}
			if !found {
				t.Errorf("no transcript sends %s", frame.text(t))
			}
		}
	})
}

// exactly decodes JSON so that 80 and 80.0 differ.
func exactly(text string) (value any, ok bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	err := dec.Decode(&value)
	return value, err == nil
}

// TestRecordingsKeepTheContract holds what the reference registry was sent and
// has answered against the schemas that this one serves: code that a client
// generated from the latter reads the former.
func TestRecordingsKeepTheContract(t *testing.T) {
	contract := served(t, dial(t, start(t, command(t.TempDir())).url))
	forEachRecording(t, func(t *testing.T, frames []recorded) {
		var request map[string]any
		var answers []map[string]any
		check := func() {
			if err := contract.checkExchange(request, answers); err != nil {
				t.Error(err)
			}
			request, answers = nil, nil
		}
		for _, frame := range frames {
			var object map[string]any
			err := json.Unmarshal(frame.Frame, &object)
			switch {
			case frame.Dir == "send":
				check()
				request = object
			case err != nil:
				t.Fatalf("%v: %s", err, frame.Frame)
			default:
				answers = append(answers, object)
			}
		}
		check()
	})
}
