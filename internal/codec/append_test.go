// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
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
		"raw JSON that is invalid":           json.RawMessage(`{"a":`),
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

// sized is content of a given size.
type sized int

func (s sized) SizeJSON() int { return int(s) }

func (s sized) AppendJSON(dst []byte) ([]byte, error) { return append(dst, `"sized"`...), nil }

// unsized is content that does not.
type unsized struct{}

func (unsized) AppendJSON(dst []byte) ([]byte, error) {
	return append(dst, strings.Repeat("1", 100)...), nil
}

func TestAppendJSONWithin(t *testing.T) {
	for _, test := range []struct {
		name    string
		content any
		limit   int
		want    string // or
		size    int    // of what was not appended, at least
	}{
		{"short", "abc", 10, `"abc"`, 0},
		{"as long as it may be", "abc", 6, `"abc"`, 0}, // with the encoder's line break
		{"too long", "abc", 4, "", 5},
		{"far too long", strings.Repeat("x", 1<<20), 1000, "", 1 << 20},
		{"many values", make([]int, 100_000), 1000, "", 200_000},
		{"sized", sized(10), 10, `"sized"`, 0},
		{"sized, too long", sized(11), 10, "", 11},
		{"sized, without a bound", sized(math.MaxInt), math.MaxInt, `"sized"`, 0},
		{"unsized", unsized{}, 10, strings.Repeat("1", 100), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := codec.AppendJSONWithin([]byte("before "), test.content, test.limit)
			if string(out) != "before "+test.want {
				t.Errorf("%.100s", out)
			}
			var large *codec.SizeError
			switch {
			case test.size == 0 && err != nil:
				t.Error(err)
			case test.size > 0 && (!errors.As(err, &large) || large.Size < test.size || large.Size > test.size+test.size/10+8):
				t.Errorf("%v, want a size of %d", err, test.size)
			}
		})
	}
	if _, err := codec.AppendJSONWithin(nil, make(chan int), 10); err == nil || errors.As(err, new(*codec.SizeError)) {
		t.Errorf("a channel: %v", err)
	}
	// What was too long is forgotten by the next.
	if out, err := codec.AppendJSON(nil, 1); string(out) != "1" || err != nil {
		t.Errorf("%s, %v", out, err)
	}
}
