// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Exchange is a frame that the reference registry was sent, and the frames
// with which it answered.
type Exchange struct {
	Recording string // the name of the transcript
	Sent      string
	Frames    []json.RawMessage
	// Request is what was sent, where that is a request.
	Request Request
}

// Request is a request as it was sent. The zero value stands for what is no
// request.
type Request struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage
}

// Call is what a request to a hub's call method asks for. For any other
// request, it is the request's own method and parameters.
func (r Request) Call() (method string, params json.RawMessage) {
	var call struct {
		Method string
		Params json.RawMessage
	}
	if strings.HasSuffix(r.Method, ".call") && json.Unmarshal(r.Params, &call) == nil {
		return call.Method, call.Params
	}
	return r.Method, r.Params
}

// Items returns the items that answered the request, or the error.
func (e Exchange) Items(t testing.TB) ([]Item, *Error) {
	t.Helper()
	var items []Item
	for _, text := range e.Frames {
		f := ParseFrame(t, text)
		switch {
		case f.Error != nil:
			return nil, f.Error
		case f.Method != "":
			items = append(items, f.Params.Result)
		}
	}
	return items, nil
}

// Recordings returns what the reference registry was asked and answered, in the
// order of the transcripts. With names, it returns those recordings only. What
// differs from run to run (ids, times, hashes) is filled in.
func Recordings(t testing.TB, names ...string) []Exchange {
	t.Helper()
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	var all []Exchange
	for _, transcript := range Transcripts(t) {
		if len(names) > 0 && !wanted[transcript.Name] {
			continue
		}
		delete(wanted, transcript.Name)
		for _, step := range transcript.Steps {
			if step.Send == nil || step.New {
				continue
			}
			e := Exchange{Recording: transcript.Name, Sent: *step.Send}
			if json.Unmarshal([]byte(e.Sent), &e.Request) != nil {
				e.Request = Request{}
			}
			frames := step.Want
			if step.Was != nil {
				frames = step.Was
			}
			for _, frame := range frames {
				e.Frames = append(e.Frames, filled(t, transcript.Path, len(all), frame))
			}
			all = append(all, e)
		}
	}
	if len(wanted) > 0 {
		t.Fatalf("there is no recording of %v", wanted)
	}
	return all
}

var placeholders = regexp.MustCompile(`"\$(?:sub|time|hash|id|any|superset ([^"]+))"`)

// filled replaces the placeholders of a pattern with such values.
func filled(t testing.TB, path string, number int, pattern []byte) json.RawMessage {
	t.Helper()
	return placeholders.ReplaceAllFunc(pattern, func(found []byte) []byte {
		switch string(found) {
		case `"$sub"`:
			return fmt.Append(nil, 1275710172627390+number)
		case `"$time"`:
			return []byte("1795336246")
		case `"$hash"`:
			return []byte(`"00e9e57b321aa1bc"`)
		case `"$id"`:
			return []byte(`"69b61267-a587-4193-9377-23db402d4fbe"`)
		case `"$any"`:
			return []byte(`"anything"`)
		}
		file := placeholders.FindSubmatch(found)[1]
		text, err := os.ReadFile(filepath.Join(filepath.Dir(path), string(file)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	})
}
