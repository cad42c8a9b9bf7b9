// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"strings"
	"testing"
)

const paramsSchema = `{"type":"object","properties":{
	"name":{"type":"string"},
	"active_only":{"type":["boolean","null"]},
	"tags":{"type":"array","items":{"type":"string"}},
	"grid":{"type":["array","null"],"items":{"type":"array","items":{"type":"integer"}}},
	"a":{"type":"object","properties":{"b":{"type":"object","properties":{"c":{"type":"integer"}}}}},
	"a.b":{"type":"string"},
	"meta":{"type":"object"},
	"counts":{"type":"object","additionalProperties":{"type":"integer"}},
	"timeout":{"type":"integer"}}}`

func TestParameters(t *testing.T) {
	for _, test := range []struct {
		args, want string // want is JSON, or what the error says
	}{
		{"", ""},
		{"--name x", `{"name":"x"}`},
		{"--name=", `{"name":""}`},
		{"--name=a=b", `{"name":"a=b"}`},
		{"--name -", `{"name":"-"}`},
		{"--name=--x", `{"name":"--x"}`},
		{"--active_only", `{"active_only":true}`},
		{"--active-only", `{"active_only":true}`},
		{"--active_only false --name x", `{"active_only":false,"name":"x"}`},
		{"--active_only null", `{"active_only":null}`},
		{"--active_only --name x", `{"active_only":true,"name":"x"}`},
		{"--active_only x", `"x" follows a flag`},
		{"--tags a --tags b", `{"tags":["a","b"]}`},
		{"--tags 1", `{"tags":["1"]}`},
		{`--tags ["a","b"] --tags c`, `{"tags":["a","b","c"]}`},
		{"--tags []", `{"tags":[]}`},
		{"--tags [x", `{"tags":["[x"]}`},
		{"--grid [1,2] --grid [3]", `{"grid":[[1,2],[3]]}`},
		{"--grid null", `{"grid":null}`},
		{"--grid x", `invalid value for --grid: "x" (must be a list)`},
		{"--a.b.c 1", "--a.b.c"}, // a.b is a parameter that takes no parts
		{"--a.b x", `{"a.b":"x"}`},
		{`--a {"b":{"c":1}}`, `{"a":{"b":{"c":1}}}`},
		{"--meta.x.y 1 --meta.x.z true --meta.w text", `{"meta":{"x":{"y":1,"z":true},"w":"text"}}`},
		{`--meta {"x":1} --meta.y 2`, `{"meta":{"x":1,"y":2}}`},
		{"--meta.x 1 --meta.x.y 2", "sets a part of what is set as a whole"},
		{"--counts.x 7", `{"counts":{"x":7}}`},
		{"--counts.x seven", `invalid value for --counts.x: "seven" (must be an integer)`},
		{"--name.x 1", "has no parameter --name.x"},
		{"--other 1", "has no parameter --other"},
		{"--", ""},
		{"-- --name x", `{"name":"x"}`},
		{"-- --raw", "has no parameter --raw"},
		{"--timeout 7 --raw", `{"timeout":7}`},
		{"--timeout 7s", `invalid value for --timeout: "7s" (must be an integer)`},
		{`-p {"name":"x"}`, `{"name":"x"}`},
		{`-p {"name":1}`, `invalid value for --name: "1" (must be a text)`},
		{`-p {"unheard":1} --name x`, `{"unheard":1,"name":"x"}`},
		{`-p {"meta":{"a":1,"b":2}} --meta.b 3`, `{"meta":{"a":1,"b":3}}`},
		{`-p []`, "parameters must be an object"},
		{`-p [1] --name x`, "parameters must be an object"},
		{`-p "alpha"`, "parameters must be an object"},
		{`-p 7`, "parameters must be an object"},
		{`-p null`, ""},
		{`-p`, "--params needs a value"},
		{"--host x", "--host must stand before the path"},
		{"-x", "has no parameter -x"},
		{"--raw=1", "--raw takes no value"},
	} {
		m := &method{newObject("params", parseObject([]byte(paramsSchema))), "m"}
		if got := gather(t, m, test.args); !matches(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.args, got, test.want)
		}
	}
}

// TestLongFile: what no hub would take is not read to its end.
func TestLongFile(t *testing.T) {
	for n, want := range map[int]bool{maxFileBytes: true, maxFileBytes + 1: false} {
		in := strings.NewReader(strings.Repeat("x", n))
		text, err := content(t.Context(), "@-", in)
		if (err == nil) != want || want && len(text) != n {
			t.Errorf("of %d bytes came %d, %v", n, len(text), err)
		}
	}
}

// TestParametersThatNoSchemaLists: any are taken.
func TestParametersThatNoSchemaLists(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--a 1 --b x --c [1] --d null", `{"a":1,"b":"x","c":[1],"d":null}`},
		{"--a", `{"a":true}`},
		{"--a --b", `{"a":true,"b":true}`},
		{"--a 1 --a 2 --a 3", `{"a":[1,2,3]}`},
		{"--a.b.c 1 --a.d 2", `{"a":{"b":{"c":1},"d":2}}`},
		{"--a..b 1", "has no parameter --a..b"},
		{"--json", ""},
		{"-- --json", `{"json":true}`},
	} {
		if got := gather(t, nil, test.args); !matches(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.args, got, test.want)
		}
	}
}

// gather reads parameters and returns them as JSON, or else the error.
func gather(t *testing.T, m *method, args string) string {
	c := testCommand()
	at := &target{hub: &hub{name: "h"}, words: []string{"m"}, method: m, unknown: -1}
	if m == nil {
		at.unknown = 0
	}
	cmd, p := c.add(c.root(), at)
	if err := p.read(cmd, strings.Fields(args)); err != nil {
		return err.Error()
	}
	params, err := p.finish(t.Context())
	if err != nil {
		return err.Error()
	}
	if params == nil {
		return ""
	}
	text, err := encode(params)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func matches(got, want string) bool {
	if want == "" || strings.HasPrefix(want, "{") || strings.HasPrefix(want, "[") {
		return got == want
	}
	return strings.Contains(got, want)
}
