// SPDX-License-Identifier: AGPL-3.0-only

package testkit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

func TestMatch(t *testing.T) {
	tests := []struct{ name, want, got, differs string }{
		{"equal", `{"a": [1, "x", null, true, {}]}`, `{"a": [1, "x", null, true, {}]}`, ""},
		{"another number", `{"a": {"b": 1}}`, `{"a": {"b": 2}}`, "$.a.b: want 1, got 2"},
		{"another kind", `1`, `"1"`, `$: want 1, got "1"`},
		{"null for false", `[false]`, `[null]`, "$[0]: want false, got null"},
		{"member missing", `{"a": 1}`, `{}`, `$: member "a" is missing`},
		{"null is not missing", `{"a": null}`, `{}`, `$: member "a" is missing`},
		{"member too many", `{"a": {}}`, `{"a": {"b": [1]}}`, `$.a: unexpected member "b": [1]`},
		{"no object", `{"a": {}}`, `{"a": []}`, "$.a: want {}, got []"},
		{"no array", `[]`, `{}`, "$: want [], got {}"},
		{"array too long", `[1]`, `[1, 2]`, "$: want [1], got [1,2]"},
		{"array too short", `[1, "$any"]`, `[1]`, `$: want [1,"$any"], got [1]`},
		{"order of an array", `[1, 2]`, `[2, 1]`, "$[0]: want 1, got 2"},
		{"long value", `1`, `"` + strings.Repeat("x", 300) + `"`, `$: want 1, got "` + strings.Repeat("x", 199) + "…"},

		{"any", `{"a": "$any"}`, `{"a": {"b": null}}`, ""},
		{"any that is missing", `{"a": "$any"}`, `{}`, `$: member "a" is missing`},

		{"time", `"$time"`, `1795336246`, ""},
		{"time in milliseconds", `"$time"`, `1795336246000`, "$: 1795336246000 is not $time"},
		{"time as text", `"$time"`, `"1795336246"`, `$: "1795336246" is not $time`},
		{"time zero", `["$time"]`, `[0]`, "$[0]: 0 is not $time"},

		{"hash", `"$hash"`, `"00e9e57b321aa1bc"`, ""},
		{"hash in capitals", `"$hash"`, `"00E9E57B321AA1BC"`, `$: "00E9E57B321AA1BC" is not $hash`},
		{"hash too long", `"$hash"`, `"00e9e57b321aa1bc0"`, `$: "00e9e57b321aa1bc0" is not $hash`},
		{"hash too short", `"$hash"`, `"00e9e57b321aa1b"`, `$: "00e9e57b321aa1b" is not $hash`},
		{"hash null", `"$hash"`, `null`, "$: null is not $hash"},

		{"id", `"$id"`, `"69b61267-a587-4193-9377-23db402d4fbe"`, ""},
		{"id without hyphens", `"$id"`, `"69b61267a5874193937723db402d4fbe"`, `$: "69b61267a5874193937723db402d4fbe" is not $id`},
		{"id number", `"$id"`, `1`, "$: 1 is not $id"},

		{"sub", `["$sub", "$sub"]`, `[1275710172627390, 1275710172627390]`, ""},
		{"sub that differs", `["$sub", "$sub"]`, `[5, 6]`, "$[1]: 6 is not $sub"},
		{"sub beyond JavaScript", `"$sub"`, `9007199254740992`, "$: 9007199254740992 is not $sub"},
		{"sub fraction", `"$sub"`, `1.5`, "$: 1.5 is not $sub"},
		{"sub negative", `"$sub"`, `-1`, "$: -1 is not $sub"},
		{"sub zero", `"$sub"`, `0`, "$: 0 is not $sub"},
		{"sub text", `"$sub"`, `"5"`, `$: "5" is not $sub`},
		{"sub object", `"$sub"`, `{}`, "$: {} is not $sub"},

		{"unknown placeholder", `{"a": "$nope"}`, `{"a": 1}`, `$.a: unknown placeholder "$nope"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var matcher testkit.Matcher
			wantError(t, matcher.Match(json.RawMessage(test.want), json.RawMessage(test.got)), test.differs)
		})
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The subscription of one step is not that of the next.
func TestNext(t *testing.T) {
	var matcher testkit.Matcher
	for _, subscription := range []string{"5", "6"} {
		matcher.Next()
		for range 2 {
			if err := matcher.Match(json.RawMessage(`"$sub"`), json.RawMessage(subscription)); err != nil {
				t.Error(err)
			}
		}
	}
	wantError(t, matcher.Match(json.RawMessage(`"$sub"`), json.RawMessage("7")), "$: 7 is not $sub")
}

func TestSuperset(t *testing.T) {
	dir := t.TempDir()
	least := `{"name": "list", "hash": "00", "self_hash": "01", "params": {"required": ["a", "b"], "oneOf": [{"const": 1}, {"const": 2}]}}`
	for name, text := range map[string]string{"least.json": least, "bad.json": "{"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, got, differs string }{
		{"equal", least, ""},
		{"other hashes, more members and elements, another order", `{"name": "list", "hash": "99", "self_hash": "98", "more": 1,
			"params": {"required": ["b", "x", "a"], "oneOf": [{"const": 3}, {"const": 2, "title": "t"}, {"const": 1}]}}`, ""},
		{"another value", `{"name": "get", "hash": "0", "self_hash": "0", "params": {"required": ["a", "b"], "oneOf": [{"const": 1}, {"const": 2}]}}`,
			`$.name: want "list", got "get"`},
		{"hash missing", `{"name": "list", "self_hash": "0", "params": {"required": ["a", "b"], "oneOf": [{"const": 1}, {"const": 2}]}}`,
			`$: member "hash" is missing`},
		{"element missing", `{"name": "list", "hash": "0", "self_hash": "0", "params": {"required": ["a"], "oneOf": [{"const": 1}, {"const": 2}]}}`,
			`$.params.required: no element like "b"`},
		{"element that differs", `{"name": "list", "hash": "0", "self_hash": "0", "params": {"required": ["a", "b"], "oneOf": [{"const": 1}, {"const": 3}]}}`,
			`$.params.oneOf: no element like {"const":2}: $.params.oneOf[1].const: want 2, got 3`},
		{"no array", `{"name": "list", "hash": "0", "self_hash": "0", "params": {"required": "a", "oneOf": [{"const": 1}, {"const": 2}]}}`,
			`$.params.required: want an array, got "a"`},
		{"no object", `[]`, "$: want an object, got []"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			matcher := testkit.Matcher{Dir: dir}
			wantError(t, matcher.Match(json.RawMessage(`"$superset least.json"`), json.RawMessage(test.got)), test.differs)
		})
	}
	matcher := testkit.Matcher{Dir: dir}
	if err := matcher.Match(json.RawMessage(`"$superset none.json"`), json.RawMessage("null")); !os.IsNotExist(err) {
		t.Errorf("a file that is missing: %v", err)
	}
	if err := matcher.Match(json.RawMessage(`"$superset bad.json"`), json.RawMessage("null")); err == nil || !strings.HasPrefix(err.Error(), "bad.json: ") {
		t.Errorf("a file that is not JSON: %v", err)
	}
}
