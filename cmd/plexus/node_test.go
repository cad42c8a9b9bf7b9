// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"strings"
	"testing"
)

// nodeOf reads a JSON Schema.
func nodeOf(t testing.TB, text string) node {
	t.Helper()
	value, err := parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return schemaNode(value)
}

// nodes are schemas as hubs write them, what help says of them, and texts
// with the values that they are, or none.
var nodes = []struct {
	name, schema, describe string
	values                 map[string]string
}{
	{"text", `{"type":"string"}`, "TEXT", map[string]string{"x": `"x"`, "1": `"1"`, "true": `"true"`, "null": `"null"`, "": `""`, `{"a":1}`: `"{\"a\":1}"`}},
	{"optional text", `{"type":["string","null"],"default":null}`, "TEXT", map[string]string{"x": `"x"`, "null": "null", "7": `"7"`}},
	{"boolean", `{"type":"boolean"}`, "BOOLEAN", map[string]string{"true": "true", "false": "false", "yes": "", "1": "", "null": ""}},
	{"port", `{"type":"integer","format":"uint16","minimum":0,"maximum":65535}`, "INTEGER from 0 to 65535",
		map[string]string{"0": "0", "65535": "65535", "65536": "", "-1": "", "1.0": "", "1e3": "", "x": "", "null": "", `"1"`: ""}},
	{"port from 1", `{"type":"integer","format":"uint16","minimum":0,"exclusiveMinimum":0,"maximum":65535}`, "INTEGER from 1 to 65535",
		map[string]string{"0": "", "1": "1", "65535": "65535"}},
	{"integer above", `{"type":["integer","null"],"exclusiveMinimum":-1}`, "INTEGER from 0", map[string]string{"0": "0", "-1": ""}},
	{"large integer", `{"type":"integer","format":"uint64","minimum":0,"maximum":18446744073709551615}`, "INTEGER from 0",
		map[string]string{"18446744073709551615": "18446744073709551615", "1" + strings.Repeat("0", 500): ""}},
	{"number", `{"type":"number","maximum":1.5}`, "NUMBER up to 1.5", map[string]string{"1.5": "1.5", "-2e-3": "-2e-3", "1.6": "", "NaN": "", "0x1": "", "1e999": ""}},
	{"enum", `{"enum":["a","b",1,null]}`, "a|b|1", map[string]string{"a": `"a"`, "1": "1", "null": "null", "c": ""}},
	{"enum of constants", `{"oneOf":[{"const":"auto","type":"string"},{"const":"file","type":"string"}]}`, "auto|file", map[string]string{"file": `"file"`, "fil": ""}},
	{"optional enum by reference", `{"$defs":{"K":{"enum":["a","b"]}},"anyOf":[{"$ref":"#/$defs/K"},{"type":"null"}]}`, "a|b", map[string]string{"a": `"a"`, "null": "null", "x": ""}},
	{"reference in allOf", `{"definitions":{"K":{"type":"integer"}},"allOf":[{"$ref":"#/definitions/K"}]}`, "INTEGER", map[string]string{"1": "1", "x": ""}},
	{"list", `{"type":"array","items":{"type":"integer"}}`, "INTEGER …", map[string]string{"[1,2]": "[1,2]", `["x"]`: "", "x": ""}},
	{"object", `{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}`, "OBJECT",
		map[string]string{`{"a":1,"z":2,"b":3}`: `{"a":1,"z":2,"b":3}`, `{"a":"x"}`: "", `{}`: "", "x": "", "[]": ""}},
	{"text or number", `{"type":["string","number"]}`, "TEXT OR NUMBER", map[string]string{"1": "1", "x": `"x"`, "true": `"true"`}},
	{"duration", `{"type":"string","format":"duration"}`, "DURATION (90s, PT1M30S)",
		map[string]string{"90s": `"90s"`, "1h2m3.5s": `"1h2m3.5s"`, "-1ms": `"-1ms"`, "0": `"0"`, "PT1M30S": `"PT1M30S"`, "P1DT0.5H": `"P1DT0.5H"`, "P2W": `"P2W"`,
			"90": "", "soon": "", "": "", "P": "", "PT": "", "P1DT": "", "P1H": "", "T1H": "", "true": "", "null": ""}},
	{"optional duration", `{"type":["string","null"],"format":"duration"}`, "DURATION (90s, PT1M30S)", map[string]string{"90s": `"90s"`, "null": "null", "x": ""}},
	{"duration by reference", `{"$defs":{"D":{"type":"string","format":"duration"}},"anyOf":[{"$ref":"#/$defs/D"},{"type":"null"}]}`, "DURATION (90s, PT1M30S)", map[string]string{"90s": `"90s"`, "null": "null", "x": ""}},
	{"duration or number", `{"oneOf":[{"type":"string","format":"duration"},{"type":"integer"}]}`, "DURATION (90s, PT1M30S) OR INTEGER", map[string]string{"90s": `"90s"`, "90": "90", "x": ""}},
	{"duration or another text", `{"anyOf":[{"type":"string","format":"duration"},{"type":"string"}]}`, "TEXT", map[string]string{"x": `"x"`}},
	{"durations", `{"type":"array","items":{"type":"string","format":"duration"}}`, "DURATION (90s, PT1M30S) …", map[string]string{`["1s"]`: `["1s"]`, `["x"]`: ""}},
	{"time", `{"type":"string","format":"date-time"}`, "DATE-TIME", map[string]string{"2026-01-31T12:00:00Z": `"2026-01-31T12:00:00Z"`, "now": `"now"`}},
	{"text of another format", `{"type":"string","format":"uri"}`, "TEXT", map[string]string{"x": `"x"`}},
	{"anything", `{"description":"x"}`, "JSON", map[string]string{"1": "1", "x": `"x"`, "[1": `"[1"`, "null": "null", `{"b":1,"a":2}`: `{"b":1,"a":2}`}},
	{"true", `true`, "JSON", map[string]string{"1": "1"}},
	{"reference to nowhere", `{"$ref":"#/$defs/X"}`, "JSON", map[string]string{"1": "1"}},
	{"reference to itself", `{"$ref":"#"}`, "JSON", map[string]string{"x": `"x"`}},
	{"values beside kinds", `{"anyOf":[{"const":"auto"},{"type":"integer"}]}`, "JSON", map[string]string{"auto": `"auto"`, "7": "7"}},
	{"many alternatives without end", `{"anyOf":[` + strings.Repeat(`{"$ref":"#"},`, 10) + `{"type":"null"}]}`, "JSON", map[string]string{"x": `"x"`}},
	{"list of itself", `{"type":"array","items":{"$ref":"#"}}`, "JSON … … … …", map[string]string{"[[],[[]]]": "[[],[[]]]", "[1]": ""}},
	{"alternatives without end", `{"anyOf":[{"$ref":"#"},{"type":"null"}]}`, "JSON", map[string]string{"x": `"x"`}},
}

func TestValuesOfSchemas(t *testing.T) {
	for _, test := range nodes {
		s := nodeOf(t, test.schema)
		if got := s.describe(); got != test.describe {
			t.Errorf("%s: help says %q, want %q", test.name, got, test.describe)
		}
		for text, want := range test.values {
			value, err := s.value("--x", text)
			got := ""
			if err == nil {
				encoded, _ := encode(value)
				got = string(encoded)
			}
			if got != want {
				t.Errorf("%s: %q is %s (%v), want %s", test.name, text, got, err, want)
			}
		}
	}
}

func TestOrderOfProperties(t *testing.T) {
	s := nodeOf(t, `{"properties":{"z":{"type":"object","properties":{"y":{},"b":{}},"required":["b"]},"m":{},"a":{},
		"o":{"anyOf":[{"properties":{"f":{},"e":{},"d":{},"c":{}}},{"type":"null"}]}},"required":["a"]}`)
	var names []string
	for _, p := range flagsOf(s) {
		names = append(names, p.name)
	}
	if got := strings.Join(names, " "); got != "a z z.b z.y m o o.f o.e o.d o.c" {
		t.Errorf("got %s", got)
	}
}

// TestFlagsOfUnions: every variant can be given, and what they share has one flag.
func TestFlagsOfUnions(t *testing.T) {
	s := nodeOf(t, `{"properties":{"u":{"anyOf":[{"$ref":"#/$defs/U"},{"type":"null"}]}},"$defs":{"U":{"oneOf":[
		{"type":"object","properties":{"kind":{"type":"string","const":"circle"},"size":{"type":"integer","description":"How large"}},"required":["kind","size"]},
		{"type":"object","properties":{"kind":{"type":"string","const":"text"},"size":{"type":"string"},"in":{"$ref":"#/$defs/U"}},"required":["kind"]},
		{"type":"object","properties":{"kind":{"type":"string","const":"none"}},"required":["kind"]}]}}}`)
	var flags []string
	for _, f := range flagsOf(s)[:4] {
		flags = append(flags, fmt.Sprint(f.name, " ", f.describe(), " ", f.required, " ", f.summary()))
	}
	if got, want := strings.Join(flags, "\n"), "u OBJECT false \nu.kind circle|text|none true \nu.size TEXT OR INTEGER false How large\nu.in OBJECT false "; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	u := s.rules().properties[0]
	for text, valid := range map[string]bool{
		`{"kind":"circle","size":1}`: true, `{"kind":"text","size":"large","in":{"kind":"none"}}`: true, `{"kind":"none"}`: true, "null": true,
		`{"kind":"square"}`: false, `{"kind":"text","in":{"kind":5}}`: false,
	} {
		if _, err := u.value("--u", text); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestDepthOfFlags(t *testing.T) {
	s := nodeOf(t, `{"properties":{"a":{"$ref":"#"}}}`)
	if got := len(flagsOf(s)); got != maxNested {
		t.Errorf("got %d flags", got)
	}
}

func TestNumberOfFlags(t *testing.T) {
	var properties strings.Builder
	for i := range 500 {
		fmt.Fprintf(&properties, `"p%d":{"$ref":"#"},`, i)
	}
	s := nodeOf(t, `{"properties":{`+properties.String()+`"z":{}}}`)
	if got := len(flagsOf(s)); got != maxFlags {
		t.Errorf("got %d flags", got)
	}
}

func FuzzValue(f *testing.F) {
	for _, test := range nodes {
		for text := range test.values {
			f.Add(test.schema, text)
		}
	}
	f.Fuzz(func(t *testing.T, schema, text string) {
		whole, err := parse([]byte(schema))
		if err != nil {
			return
		}
		n := schemaNode(whole)
		flagsOf(n)
		n.describe()
		value, err := n.value("--x", text)
		if err != nil {
			return
		}
		// What is taken can be sent, and is still taken then.
		encoded, err := encode(value)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := parse(encoded)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if err := n.check("--x", again); err != nil {
			t.Errorf("%q became %s, which is refused: %v", text, encoded, err)
		}
	})
}
