// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Transcript is a file of testdata/transcripts.
type Transcript struct {
	Name  string // "info" of 01-info.txt
	Path  string
	Steps []Step
}

// Step is one thing that happens in a transcript. Exactly one of Send, Given,
// and SetsFile is set.
type Step struct {
	Line int // where it begins
	// Send is a frame; Want are the frames that answer it, as patterns; Was are
	// those of the reference registry where they differ.
	Send      *string
	Want, Was []json.RawMessage
	// New reports whether the reference registry was never asked this.
	New bool
	// Given are the parameters of a register.
	Given json.RawMessage
	// SetsFile reports that backends.toml is File from now on; nil for none.
	SetsFile bool
	File     []byte
}

// Root is the folder of the project, as a path from the folder of the test.
func Root(t testing.TB) string {
	t.Helper()
	root := "."
	for range 10 {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return root
		}
		root = filepath.Join(root, "..")
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// Transcripts reads all transcripts, in the order of their numbers.
func Transcripts(t testing.TB) []Transcript {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(Root(t), "testdata", "transcripts", "*.txt"))
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d transcripts, %v", len(paths), err)
	}
	var all []Transcript
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := ParseTranscript(string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".txt"), "-")
		all = append(all, Transcript{Name: name, Path: path, Steps: steps})
	}
	return all
}

// ParseTranscript reads the text of a transcript. Errors name the line.
func ParseTranscript(text string) ([]Step, error) {
	var steps []Step
	var frame strings.Builder     // the "<--" or "was" that is being read
	var frames *[]json.RawMessage // where it belongs
	lines := strings.Split(text, "\n")
	fail := func(i int, format string, args ...any) error {
		return fmt.Errorf("line %d: %s", i+1, fmt.Sprintf(format, args...))
	}
	finish := func(i int) error {
		if frame.Len() == 0 {
			return nil
		}
		text := json.RawMessage(frame.String())
		var decoded any
		if err := json.Unmarshal(text, &decoded); err != nil {
			return fail(i-1, "the frame ending here is not JSON: %v", err)
		}
		frame.Reset()
		*frames = append(*frames, text)
		return nil
	}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, " ") && frame.Len() > 0 {
			frame.WriteString(line)
			continue
		}
		if err := finish(i); err != nil {
			return nil, err
		}
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case word == "-->":
			if quoted, ok := strings.CutPrefix(rest, "text "); ok {
				if err := json.Unmarshal([]byte(quoted), &rest); err != nil {
					return nil, fail(i, "not a JSON string: %v", err)
				}
			}
			steps = append(steps, Step{Line: i + 1, Send: &rest})
		case word == "<--" || word == "was" || line == "new":
			if len(steps) == 0 || steps[len(steps)-1].Send == nil {
				return nil, fail(i, "an answer to nothing")
			}
			last := &steps[len(steps)-1]
			if line == "new" {
				last.New = true
				continue
			}
			if rest == "" {
				return nil, fail(i, "no frame")
			}
			frame.WriteString(rest)
			if frames = &last.Want; word == "was" {
				frames = &last.Was
			}
		case word == "given":
			if !json.Valid([]byte(rest)) {
				return nil, fail(i, "what is given is not JSON: %s", rest)
			}
			steps = append(steps, Step{Line: i + 1, Given: json.RawMessage(rest)})
		case line == "no file":
			steps = append(steps, Step{Line: i + 1, SetsFile: true})
		case line == "file":
			step := Step{Line: i + 1, SetsFile: true, File: []byte{}}
			for i++; i < len(lines) && lines[i] != "end"; i++ {
				step.File = append(append(step.File, lines[i]...), '\n')
			}
			if i == len(lines) {
				return nil, fail(step.Line-1, "the file has no end")
			}
			steps = append(steps, step)
		default:
			return nil, fail(i, "%q begins with no known word", line)
		}
	}
	if err := finish(len(lines)); err != nil {
		return nil, err
	}
	return steps, nil
}
