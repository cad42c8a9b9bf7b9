// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"strings"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

func named(names ...string) []plugin.Method {
	var methods []plugin.Method
	for _, name := range names {
		methods = append(methods, plugin.Unary(name, "", greet))
	}
	return methods
}

func TestDefinitionIsValidated(t *testing.T) {
	for _, test := range []struct {
		name       string
		definition plugin.Definition
		want       string // in the error; empty for none
	}{
		{"methods", plugin.Definition{Namespace: "a", Methods: named("one", "two")}, ""},
		{"no methods", plugin.Definition{Namespace: "a-b_C9"}, ""},
		{"no namespace", plugin.Definition{}, `namespace "" is malformed`},
		{"a malformed namespace", plugin.Definition{Namespace: "a.b"}, `namespace "a.b" is malformed`},
		{"a malformed method", plugin.Definition{Namespace: "a", Methods: named("one", "t wo")}, `activation "a": method "t wo" is malformed`},
		{"versions", plugin.Definition{Namespace: "a", Version: "1.2.3-rc.1+5"}, ""},
		{"a malformed version", plugin.Definition{Namespace: "a", Version: "v1.0.0"}, `version "v1.0.0": expected one like "1.0.0"`},
		{"a short version", plugin.Definition{Namespace: "a", Version: "1.0"}, "expected one like"},
		{"a method twice", plugin.Definition{Namespace: "a", Methods: named("one", "two", "one")}, `method "one" is taken`},
		{"two methods that differ in case", plugin.Definition{Namespace: "a", Methods: named("one", "One")}, ""},
		{"the hub's schema", plugin.Definition{Namespace: "a", Methods: named("schema")}, `method "schema" is taken`},
		{"the hub's hash", plugin.Definition{Namespace: "a", Methods: named("hash")}, `method "hash" is taken`},
		{"the zero Method", plugin.Definition{Namespace: "a", Methods: make([]plugin.Method, 1)}, "neither from Unary nor from Stream"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.definition.Validate()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"a": true, "Z": true, "registry-hub": true, "a_b-c": true, "x9": true, "a_": true, strings.Repeat("a", 64): true,
		"": false, "9a": false, "-a": false, "_a": false, "a.b": false, "a b": false, "é": false, "aé": false, "a\x00": false,
		"a/b": false, "a\n": false, strings.Repeat("a", 65): false, "\xff": false,
	} {
		if err := plugin.ValidateName(name); (err == nil) != valid {
			t.Errorf("%q: %v", name, err)
		}
	}
}
