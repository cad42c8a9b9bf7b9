// SPDX-License-Identifier: AGPL-3.0-only

package transcript

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Step is one thing that happens in a transcript. Exactly one of Send, Given,
// and SetsFile is set.
type Step struct {
	Line int // where it begins
	// Send is a frame; Want are the frames that answer it, as patterns.
	Send *string
	Want []any
	// Given are the parameters of a register.
	Given json.RawMessage
	// SetsFile tells that backends.toml is File from now on; nil for none.
	SetsFile bool
	File     []byte
}

// Parse reads a transcript.
func Parse(text string) ([]Step, error) {
	var steps []Step
	var pattern strings.Builder // the "<--" that is being read
	lines := strings.Split(text, "\n")
	fail := func(i int, format string, args ...any) error {
		return fmt.Errorf("line %d: %s", i+1, fmt.Sprintf(format, args...))
	}
	finish := func(i int) error {
		if pattern.Len() == 0 {
			return nil
		}
		var want any
		if err := json.Unmarshal([]byte(pattern.String()), &want); err != nil {
			return fail(i-1, "the frame ending here is not JSON: %v", err)
		}
		pattern.Reset()
		last := &steps[len(steps)-1]
		last.Want = append(last.Want, want)
		return nil
	}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, " ") && pattern.Len() > 0 {
			pattern.WriteString(line)
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
		case word == "<--":
			if len(steps) == 0 || steps[len(steps)-1].Send == nil {
				return nil, fail(i, "an answer to nothing")
			}
			if rest == "" {
				return nil, fail(i, "no frame")
			}
			pattern.WriteString(rest)
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
