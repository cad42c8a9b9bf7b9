// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
)

// written appends its own JSON.
type written struct {
	text string
	err  error
}

func (w written) AppendJSON(dst []byte) ([]byte, error) {
	return append(dst, w.text...), w.err
}

func TestAppendJSON(t *testing.T) {
	for _, test := range []struct {
		name    string
		content any
		want    string
	}{
		{"nothing", nil, `null`},
		{"a struct", Inner{A: "a"}, `{"a":"a"}`},
		{"a pointer", &Inner{A: "a"}, `{"a":"a"}`},
		{"special characters, as they are", "<é \"\\\n\x01\u2028>", `"<é \"\\\n\u0001` + "\u2028" + `>"`},
		{"a map, in one order", map[string]int{"b": 1, "a": 2, "c": 3}, `{"a":2,"b":1,"c":3}`},
		{"nil lists and maps, empty", struct {
			L []int
			M map[string]int
		}{}, `{"L":[],"M":{}}`},
		{"left out", struct {
			S *string `json:"s,omitempty"`
		}{}, `{}`},
		{"raw JSON", json.RawMessage(`{"b": 1, "a":2}`), `{"b":1,"a":2}`},
		{"a large integer", int64(math.MaxInt64), `9223372036854775807`},
		{"bytes", []byte{1, 2, 3}, `"AQID"`},
		{"a time", time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), `"2026-01-02T03:04:05.0000006Z"`},
		{"an Appender", written{text: `{"own":1}`}, `{"own":1}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, before := range []string{"", "[1,"} {
				got, err := codec.AppendJSON([]byte(before), test.content)
				if err != nil || string(got) != before+test.want {
					t.Errorf("after %q: %s, %v, want %s", before, got, err, test.want)
				}
			}
		})
	}
}

func TestAppendJSONThatFailsLeavesTheBufferAsItWas(t *testing.T) {
	failure := errors.New("no")
	for name, content := range map[string]any{
		"an Appender":                        written{`{"half":`, failure},
		"what is not UTF-8":                  []string{"good", "\xff"},
		"a number that JSON does not have":   []float64{1, math.NaN()},
		"raw JSON that is none":              json.RawMessage(`{"a":`),
		"a type that has none":               make(chan int),
		"a member twice, in JSON of its own": json.RawMessage(`{"a":1,"a":2}`),
	} {
		before := append(make([]byte, 0, 1024), "before"...)
		got, err := codec.AppendJSON(before, content)
		if err == nil || string(got) != "before" {
			t.Errorf("%s: %q, %v, want an error and the buffer as it was", name, got, err)
		}
		// The next one must not be touched by it.
		if got, err := codec.AppendJSON(got, "after"); err != nil || string(got) != `before"after"` {
			t.Errorf("after %s: %q, %v", name, got, err)
		}
	}
	if _, err := codec.AppendJSON(nil, written{"", failure}); !errors.Is(err, failure) {
		t.Errorf("error %v is not that of the Appender", err)
	}
}

func TestAppendJSONGoesOnInTheSameMemory(t *testing.T) {
	buffer := make([]byte, 0, 1024)
	got, err := codec.AppendJSON(buffer, Inner{A: "a"})
	if err != nil || &got[0] != &buffer[:1][0] {
		t.Errorf("the content was copied: %v", err)
	}
}
