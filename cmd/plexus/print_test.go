// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/helptext"
	"github.com/plexus-go/plexus/plugin"
)

func TestReadable(t *testing.T) {
	for _, test := range []struct{ name, json, want string }{
		{"text", `"hi"`, "hi\n"},
		{"lines", `"a\nb"`, "a\nb\n"},
		{"number", `1.50`, "1.50\n"},
		{"null", `null`, "null\n"},
		{"nothing", `{}`, "{}\n"},
		{"no elements", `[]`, "[]\n"},
		{"members", `{"b":1,"a":"x","n":null,"e":"","s":" x"}`, "b: 1\na: x\nn: null\ne: \"\"\ns: \" x\"\n"},
		{"nested", `{"a":{"b":{"c":1},"d":[]},"e":{}}`, "a:\n  b:\n    c: 1\n  d: []\ne: {}\n"},
		{"list", `[1,"x",null]`, "- 1\n- x\n- null\n"},
		{"lists of lists", `[[1,2],[]]`, "-\n  - 1\n  - 2\n- []\n"},
		{"table", `[{"a":1,"b":"x"},{"b":"longer","c":true}]`, "A  B       C\n1  x\n   longer  true\n"},
		{"table below", `{"rows":[{"a":1},{"a":2}]}`, "rows:\n  A\n  1\n  2\n"},
		{"one row", `[{"a":1,"b":2}]`, "- a: 1\n  b: 2\n"},
		{"rows that are no rows", `[{"a":{"b":1}},{"a":2}]`, "- a:\n    b: 1\n- a: 2\n"},
		{"a table that is too wide", `[{"a":"` + strings.Repeat("x", 130) + `"},{"a":1}]`, "- a: " + strings.Repeat("x", 130) + "\n- a: 1\n"},
		{"paragraph", `{"t":"one\ntwo\n"}`, "t:\n  one\n  two\n"},
		{"escapes", `{"a\u001b[2J":"\u001b]0;x\u0007\u009b\u202e"}`, `a\u001b[2J: \u001b]0;x\u0007\u009b\u202e` + "\n"},
		{"marks that can't be seen", `{"a\u200b":"x\u2028y\u2029z\u200e\u200f\u061c\u2066\ufeff\u00ad\udb40\udc41"}`,
			`a\u200b: x\u2028y\u2029z\u200e\u200f\u061c\u2066\ufeff\u00ad\udb40\udc41` + "\n"},
		{"what is no Unicode", "{\"a\":\"\x9b2J\"}", "a: \ufffd2J\n"},
		{"too deep", strings.Repeat(`{"a":`, maxDepth+3) + `[1,{"b":"<"}]` + strings.Repeat(`}`, maxDepth+3),
			deepLines(maxDepth) + strings.Repeat("  ", maxDepth) + `a: {"a":{"a":[1,{"b":"<"}]}}` + "\n"},
	} {
		value, err := parse([]byte(test.json))
		if err != nil {
			t.Fatal(err)
		}
		if got := readable(value); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// deepLines are so many objects, each in the one before.
func deepLines(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("  ", i) + "a:\n")
	}
	return b.String()
}

// TestDeep: what is nested as deep as JSON may be costs no more than its length
// and what is laid out of it.
func TestDeep(t *testing.T) {
	const deep = 9000
	for _, test := range []struct{ open, end string }{
		{`{"a":`, "}"}, {"[", "]"}, {`[{"a":`, "}]"}, {`{"a":1,"b":[7,`, "]}"},
	} {
		text := strings.Repeat(test.open, deep/2) + "1" + strings.Repeat(test.end, deep/2)
		value, err := parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		const laidOut = 20 * maxDepth * maxDepth
		if got := readable(value); len(got) > len(text)+laidOut {
			t.Errorf("%s: %d bytes make %d", test.open, len(text), len(got))
		}
		var out bytes.Buffer
		p := &printer{out: &out, options: &options{mode: modePretty}}
		if err := p.schema(&target{schema: &schema{object: newObject("a", value)}}); err != nil || out.Len() > len(`{"a":}`)+len(text)+1 {
			t.Errorf("%s: the schema of %d bytes makes %d, %v", test.open, len(text), out.Len(), err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{"z":1,"a":[{"y":1e400,"b":"<&>"}],"z":2}`, `{"z":2,"a":[{"y":1e400,"b":"<&>"}]}`},
		{` [ ] `, `[]`},
		{`1 2`, ""},
		{`{"a":}`, ""},
		{`{"a"`, ""},
		{``, ""},
		{strings.Repeat("[", 1e6), ""},
	} {
		value, err := parse([]byte(test.text))
		got := ""
		if err == nil {
			text, _ := encode(value)
			got = string(text)
		}
		if got != test.want {
			t.Errorf("%.40s: got %s, %v; want %s", test.text, got, err, test.want)
		}
	}
}

// printed prints items as a terminal, or a pipe, would see them.
func printed(t *testing.T, terminal bool, o options, items ...plugin.Item) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	p := &printer{out: &out, err: &err, options: &o, outTTY: terminal}
	if terminal {
		p.columns = func() int { return 0 }
	}
	for i := range items {
		if err := p.item(&items[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out.String(), err.String()
}

func TestProgress(t *testing.T) {
	half, over := 50.4, 1e9
	items := []plugin.Item{
		{Kind: plugin.KindProgress, Message: "half\x1b", Percentage: half},
		{Kind: plugin.KindProgress, Message: "half\x1b", Percentage: half}, // nothing new
		{Kind: plugin.KindProgress, Message: strings.Repeat("long", 20), Percentage: over},
		{Kind: plugin.KindProgress, Message: "some", Percentage: -1},
		{Kind: plugin.KindData, Content: json.RawMessage(`"x"`)},
	}
	const gone = "\r\x1b[K"
	bars := "[###############...............]  50% half\\u001b" + gone +
		"[##############################] 100% " + strings.Repeat("long", 10) + "…" + gone + "… some" + gone
	for _, test := range []struct {
		terminal, verbose bool
		want              string
	}{
		{true, false, bars},
		{false, false, ""},
		{false, true, "plexus:  50% half\\u001b\nplexus:  50% half\\u001b\nplexus: 100% " + strings.Repeat("long", 20) + "\nplexus: some\n"},
	} {
		_, got := printed(t, test.terminal, options{verbose: test.verbose}, items...)
		if got != test.want {
			t.Errorf("%+v: got %q, want %q", test, got, test.want)
		}
	}
	for line := range strings.SplitSeq(bars, gone) {
		if n := len([]rune(line)); n > helptext.Width {
			t.Errorf("a bar has %d characters", n)
		}
	}
}

// TestNarrow: no line of progress is as wide as the terminal.
func TestNarrow(t *testing.T) {
	for _, width := range []int{1, 2, 10, 20, 40, 79, 80, 200} {
		for _, percentage := range []float64{-1, 50} {
			var out bytes.Buffer
			p := printer{err: &out, columns: func() int { return width }}
			p.progress(&plugin.Item{Kind: plugin.KindProgress, Message: strings.Repeat("é", 300), Percentage: percentage})
			if n := len([]rune(out.String())); n >= max(2, width) || n == 0 {
				t.Errorf("of %d columns %d are used: %s", width, n, out.String())
			}
		}
	}
}

// TestWideProgress: neither is one in wide characters.
func TestWideProgress(t *testing.T) {
	var out bytes.Buffer
	p := printer{err: &out, columns: func() int { return 11 }}
	p.progress(&plugin.Item{Kind: plugin.KindProgress, Message: strings.Repeat("日", 300), Percentage: -1})
	if got, want := out.String(), "… 日日日…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestHarmlessJSON: on a terminal JSON does nothing to that either; elsewhere it
// stays as it came.
func TestHarmlessJSON(t *testing.T) {
	const came, shown = "{\"a\":\"\u009b2J\u202e\"}", `{"a":"\u009b2J\u202e"}`
	item := plugin.Item{Kind: plugin.KindData, Content: json.RawMessage(came), Raw: json.RawMessage(came)}
	for _, mode := range []mode{modeJSON, modeRaw} {
		for terminal, want := range map[bool]string{true: shown, false: came} {
			if got, _ := printed(t, terminal, options{mode: mode}, item); got != want+"\n" {
				t.Errorf("mode %v, terminal %v: got %q", mode, terminal, got)
			}
		}
	}
	var out bytes.Buffer
	p := &printer{out: &out, options: &options{mode: modePretty}}
	if err := p.schema(&target{schema: &schema{object: parseObject([]byte(came))}}); err != nil || out.String() != "{\n  \"a\": \"\\u009b2J\\u202e\"\n}\n" {
		t.Errorf("the schema is %q, %v", out.String(), err)
	}
}

func TestModes(t *testing.T) {
	items := []plugin.Item{
		{Kind: plugin.KindData, Content: json.RawMessage("{\"a\":\n 1}"), Raw: json.RawMessage("{\"type\": \"data\"}")},
		{Kind: "other", Raw: json.RawMessage(`{"type":"other"}`)},
		{Kind: plugin.KindData, Content: json.RawMessage(`{"type":"error","message":"no"}`), Raw: json.RawMessage(`{}`)},
		{Kind: plugin.KindData, Raw: json.RawMessage(`{"type":"data"}`)},
	}
	const lines, readers, raw = "{\"a\":1}\nnull\n", "a: 1\nnull\n", "{\"type\":\"data\"}\n{\"type\":\"other\"}\n{}\n{\"type\":\"data\"}\n"
	for _, test := range []struct {
		terminal bool
		mode     mode
		want     string
	}{
		{true, modeAuto, readers}, {false, modeAuto, lines},
		{true, modeJSON, lines}, {false, modeJSON, lines},
		{true, modePretty, readers}, {false, modePretty, readers},
		{true, modeRaw, raw}, {false, modeRaw, raw},
	} {
		if got, _ := printed(t, test.terminal, options{mode: test.mode}, items...); got != test.want {
			t.Errorf("%+v: got %q, want %q", test, got, test.want)
		}
	}
}
