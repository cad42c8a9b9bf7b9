// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

// ofLength is text of so many bytes.
func ofLength(bytes int) string { return strings.Repeat("x", bytes) }

// metadataOfLength is an object of so many bytes.
func metadataOfLength(bytes int) string { return `{"a":"` + ofLength(bytes-len(`{"a":""}`)) + `"}` }

// check is one parameter, its value as JSON, and what a refusal of it says; nil
// where it is accepted. The tests of storage have each rule; these, that it holds
// here.
type check struct {
	parameter, value string
	refusal          []string
}

func quoted(s string) string { return object("", s)[len(`{"":`) : len(object("", s))-1] }

var addressChecks = []check{
	{"host", `"localhost"`, nil},
	{"host", `"::1"`, nil},
	{"host", `"fe80::1%eth0"`, nil},
	{"host", quoted(ofLength(64)), []string{"host", `"xxxx`, "is not a host name"}},
	{"host", quoted(strings.Repeat("a.", 126) + "aa"), []string{"host", `"a.a.`, "is not a host name"}},
	{"host", `""`, []string{"host", `""`, "is empty"}},
	{"host", `" "`, []string{"host", `" "`, "is not a host name"}},
	{"host", `"ws://localhost"`, []string{"host", `"ws://localhost"`, "no scheme"}},
	{"host", `"127.0.0.1:4444"`, []string{"host", `"127.0.0.1:4444"`, "port"}},
	{"host", `"256.0.0.1"`, []string{"host", `"256.0.0.1"`, "IPv4"}},
	{"host", `"a\u0000b"`, []string{"host", `"a\x00b"`, "is not a host name"}},
	{"host", `"0.0.0.0"`, []string{"host", `"0.0.0.0"`, "not the address of a machine"}},
	{"host", `"ff02::1"`, []string{"host", `"ff02::1"`, "many machines"}},
	{"host", `"hub٣"`, []string{"host", `"hub٣"`, "is not a host name"}},
	{"host", `7`, []string{"`7`", "expected a string"}},

	{"port", `1`, nil},
	{"port", `65535`, nil},
	{"port", `0`, []string{"port", "0", "is not 1–65535"}},
	{"port", `65536`, []string{"`65536`", "expected u16"}},
	{"port", `-1`, []string{"`-1`", "expected u16"}},
	{"port", `1.5`, []string{"`1.5`", "expected u16"}},
	{"port", `"80"`, []string{`"80"`, "expected u16"}},

	{"protocol", `"ws"`, nil},
	{"protocol", `"wss"`, nil},
	{"protocol", `"WS"`, nil},
	{"protocol", `"wSs"`, nil},
	{"protocol", `""`, []string{"protocol", `""`, `is neither "ws" nor "wss"`}},
	{"protocol", `"http"`, []string{"protocol", `"http"`, `is neither "ws" nor "wss"`}},
	{"protocol", `"wſs"`, []string{"protocol", `"wſs"`, `is neither "ws" nor "wss"`}}, // long s folds to s
	{"protocol", `true`, []string{"`true`", "expected a string"}},

	{"description", quoted(ofLength(4096)), nil},
	{"description", quoted(ofLength(4097)), []string{"description", `"xxxx`, "is longer than 4096 bytes"}},
	{"description", quoted(strings.Repeat("é", 2048) + "x"), []string{"description", `"éé`, "is longer than 4096 bytes"}},
	{"description", `"two\nlines"`, nil},
	{"description", `["a"]`, []string{"sequence", "expected a string"}},

	{"namespace", quoted(ofLength(255)), nil},
	{"namespace", quoted(ofLength(256)), []string{"namespace", `"xxxx`, "is longer than 255 bytes"}},
}

var registerChecks = append([]check{
	{"name", quoted(ofLength(255)), nil},
	{"name", quoted(ofLength(256)), []string{"name", `"xxxx`, "is longer than 255 bytes"}},
	{"name", quoted(strings.Repeat("é", 128)), []string{"name", `"éé`, "is longer than 255 bytes"}},
	{"name", `""`, []string{"name", `""`, "is empty"}},
	{"name", `"a "`, []string{"name", `"a "`, "begins or ends with space"}},
	{"name", `"a\u0000b"`, []string{"name", `"a\x00b"`, "contains a control character"}},
	{"name", `"a\u200bb"`, []string{"name", `"a\u200bb"`, "contains the invisible character U+200B"}},
	{"name", `"a\u202eb"`, []string{"name", `"a\u202eb"`, "contains the invisible character U+202E"}},
	{"name", `null`, []string{"null", "expected a string"}},

	{"version", quoted(ofLength(255)), nil},
	{"version", quoted(ofLength(256)), []string{"version", `"xxxx`, "is longer than 255 bytes"}},

	{"source", `"auto"`, nil},
	{"source", `"manual"`, nil},
	{"source", `"file"`, []string{"source", `"file"`, `is neither "auto" nor "manual"`}},
	{"source", `"env"`, []string{"source", `"env"`, `is neither "auto" nor "manual"`}},
	{"source", `""`, []string{"source", `""`, `is neither "auto" nor "manual"`}},
	{"source", quoted(ofLength(100_000)), []string{"source", `"xxxx`, `is neither "auto" nor "manual"`}},

	{"ttl_seconds", `5`, nil},
	{"ttl_seconds", `86400`, nil},
	{"ttl_seconds", `0`, []string{"ttl_seconds", "0", "is not 5–86400"}},
	{"ttl_seconds", `4`, []string{"ttl_seconds", "4", "is not 5–86400"}},
	{"ttl_seconds", `86401`, []string{"ttl_seconds", "86401", "is not 5–86400"}},

	{"metadata", metadataOfLength(16 << 10), nil},
	{"metadata", metadataOfLength(16<<10 + 1), []string{"metadata", `{\"a\"`, "is longer than 16384 bytes"}},
	{"metadata", `[]`, []string{"metadata", "[]", "is not a JSON object"}},
	{"metadata", `"{}"`, nil},
	{"metadata", `" {\"a\": {\"\\u0062\": [1]}}\n"`, nil},
	{"metadata", `"[]"`, []string{"metadata", `[]`, "is not a JSON object"}},
	{"metadata", `""`, []string{"metadata", "is not a JSON object"}},
	{"metadata", `"{"`, []string{"metadata", `{`, "is not a JSON object"}},
	{"metadata", `"{\"a\":1,\"a\":2}"`, []string{"metadata", "is not a JSON object"}},
	{"metadata", `"{} {}"`, []string{"metadata", "is not a JSON object"}},
	{"metadata", `"{\"n\":1e999}"`, []string{"metadata", `"1e999"`, "is a number too large for a double"}},
	{"metadata", `"\"{}\""`, []string{"metadata", "is not a JSON object"}},
	{"metadata", `1`, []string{"metadata", "1", "is not a JSON object"}},
	{"metadata", `false`, []string{"metadata", "false", "is not a JSON object"}},
	{"metadata", `{"n":1e999}`, []string{"metadata", `"1e999"`, "is a number too large for a double"}},
	{"metadata", `{"a":[{"n":-1E+400}]}`, []string{"metadata", `"-1E+400"`, "is a number too large for a double"}},
	{"metadata", `{"n":1e308,"m":-1e-999,"t":"1e999 \\\" 1e999","1e999":0}`, nil},
	{"metadata", `{"a":1,"a":2}`, []string{"not valid JSON"}},
	{"metadata", `{"a":`, []string{"not valid JSON"}},
	{"metadata", "{\"a\":\"\xff\"}", []string{"not valid JSON"}},
}, addressChecks...)

// TestInvalidParametersAreRejected calls register and update with each value on either side of each
// rule. A refusal says which parameter, which value and which rule, in few
// words, and changes nothing.
func TestInvalidParametersAreRejected(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.register(`{"name": "alpha", "host": "old", "port": 1, "description": "old"}`)
	params := func(c check, base ...string) string {
		members := `"` + c.parameter + `":` + c.value
		for i := 0; i < len(base); i += 2 {
			if base[i] != c.parameter {
				members += `,"` + base[i] + `":` + base[i+1]
			}
		}
		return "{" + members + "}"
	}
	try := func(t *testing.T, method, params string, c check) {
		t.Helper()
		before := h.all()
		a := h.call(context.Background(), method, params)
		switch {
		case c.refusal == nil && a.refused != nil:
			t.Errorf("%s with %s %.80s: refused with %q", method, c.parameter, c.value, a.refused.Message)
		case c.refusal != nil && a.refused == nil:
			t.Errorf("%s with %s %.80s: accepted", method, c.parameter, c.value)
		case c.refusal != nil:
			if a.refused.Code != plugin.CodeInvalidParams || a.refused.Recoverable {
				t.Errorf("%s with %s %.80s: code %d", method, c.parameter, c.value, a.refused.Code)
			}
			said, plain := strings.CutPrefix(a.refused.Message, "Invalid params: ")
			if !strings.HasPrefix(said, c.parameter) && !strings.HasPrefix(said, "not valid JSON") {
				t.Errorf("%s with %s %.80s: refused with %q, which does not name it", method, c.parameter, c.value, a.refused.Message)
			}
			for _, part := range c.refusal {
				if !plain || !strings.Contains(said, part) {
					t.Errorf("%s with %s %.80s: refused with %q, which lacks %q", method, c.parameter, c.value, a.refused.Message, part)
				}
			}
			if len(said) > 250 {
				t.Errorf("%s with %s: refused in %d bytes", method, c.parameter, len(said))
			}
			same(t, "after a refusal", h.all(), before)
		}
	}
	for _, c := range registerChecks {
		try(t, "register", params(c, "name", `"alpha"`, "host", `"h"`, "port", `1`), c)
	}
	for _, c := range addressChecks {
		try(t, "update", params(c, "name", `"alpha"`), c)
	}
}

func TestProtocolIsStoredInLowerCase(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, given := range []string{"ws", "WS", "wss", "Wss", "WSS"} {
		if got := h.register(object("name", "alpha", "host", "h", "port", 1, "protocol", given)).Protocol; got != strings.ToLower(given) {
			t.Errorf("registered %q, answered %q", given, got)
		}
		h.register(`{"name": "alpha", "host": "h", "port": 1}`)
		h.do("update", object("name", "alpha", "protocol", given))
		if got := h.get("alpha").Protocol; got != strings.ToLower(given) {
			t.Errorf("updated to %q, got %q", given, got)
		}
	}
}

func TestHostIsStoredAsItIsDialled(t *testing.T) {
	t.Parallel()
	h := open(t)
	const dialled = "xn--bcher-kva.example"
	if got := h.register(object("name", "alpha", "host", "bücher.example", "port", 1)).Host; got != dialled {
		t.Errorf("registered, answered %q", got)
	}
	h.register(`{"name": "alpha", "host": "h", "port": 1}`)
	h.do("update", object("name", "alpha", "host", "bu\u0308cher.example"))
	if got := h.get("alpha").Host; got != dialled {
		t.Errorf("updated, got %q", got)
	}
}

func TestMissingParametersAreNamed(t *testing.T) {
	t.Parallel()
	h := open(t)
	for method, cases := range map[string]map[string]string{
		"register": {
			`{"host": "h", "port": 1}`:              "name",
			`{"name": "alpha", "port": 1}`:          "host",
			`{"name": "alpha", "host": "h"}`:        "port",
			`{"Name": "a", "host": "h", "port": 1}`: "name",
			`{}`:                                    "name",
		},
		"get":        {`{}`: "name"},
		"update":     {`{"port": 1}`: "name"},
		"delete":     {`{}`: "name"},
		"ping":       {`{}`: "name"},
		"deregister": {`{}`: "name"},
	} {
		for params, missing := range cases {
			a := h.call(context.Background(), method, params)
			if a.refused == nil || a.refused.Code != plugin.CodeInvalidParams || a.refused.Message != "Invalid params: missing field: "+missing {
				t.Errorf("%s %s: %+v", method, params, a)
			}
		}
	}
	same(t, "listed", h.names(""), []string{})
}
