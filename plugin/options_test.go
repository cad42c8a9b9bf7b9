// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// TestOptionsInTheSchema states what each option says in the schema, member by
// member, beside what every schema has.
func TestOptionsInTheSchema(t *testing.T) {
	members := func(options ...plugin.Option) map[string]json.RawMessage {
		text, err := json.Marshal(unary[nameParams, greeting]("greet", "Greets", options...))
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	plain := members()
	for _, test := range []struct {
		name   string
		option plugin.Option
		want   map[string]string // members that are others, but for the hash
	}{
		{"LongDescription", plugin.LongDescription("At length"), map[string]string{"long_description": `"At length"`}},
		{"Deprecated", plugin.Deprecated("1.2.0", "2.0.0", "Use meet"), map[string]string{"deprecation": `{"since":"1.2.0","removed_in":"2.0.0","message":"Use meet"}`}},
		{"HTTPMethod", plugin.HTTPMethod("GET"), map[string]string{"http_method": `"GET"`}},
		{"Requires", plugin.Requires("notes:write"), map[string]string{"scopes": `["notes:write"]`}},
		{"RequiresFor", plugin.RequiresFor("notes:write", nameOf), map[string]string{"scopes": `["notes:write"]`}},
		{"Example", plugin.Example(nameParams{"Ada"}), map[string]string{"params": `{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"examples":[{"name":"Ada"}]}`}},
		{"Returns", plugin.Returns[string](), map[string]string{"returns": `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"string","title":"string"}`}},
		{"Quick", plugin.Quick(), nil},
		{"Timeout", plugin.Timeout(time.Second), nil},
		{"Wrap", plugin.Wrap(plugin.Logging(slog.LevelInfo)), nil},
	} {
		got := members(test.option)
		if same := string(got["hash"]) == string(plain["hash"]); same != (test.want == nil) {
			t.Errorf("%s: the hash is the same: %v", test.name, same)
		}
		for name := range got {
			want, given := test.want[name]
			if !given {
				want = string(plain[name])
			}
			if name != "hash" && !sameJSON(string(got[name]), want) {
				t.Errorf("%s: %s is %s, want %s", test.name, name, got[name], want)
			}
		}
		if len(got) < len(plain) {
			t.Errorf("%s: members are gone: %v", test.name, got)
		}
	}
	both := members(plugin.Bidirectional())
	if string(both["bidirectional"]) != "true" || both["request_type"] == nil || both["response_type"] == nil || string(both["hash"]) == string(plain["hash"]) {
		t.Errorf("Bidirectional: %v", both)
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

func TestExamplesAreListed(t *testing.T) {
	s := unary[nameParams, greeting]("greet", "", plugin.Example(nameParams{"Ada"}), plugin.Example(nameParams{"Bob"}))
	if got := parsed(t, s.Params).Examples; fmt.Sprint(got) != "[map[name:Ada] map[name:Bob]]" {
		t.Errorf("%s", got)
	}
}

func TestScopesAreASet(t *testing.T) {
	a, b := plugin.Requires("a"), plugin.Requires("b")
	one, other := unary[nameParams, greeting]("greet", "", a, b), unary[nameParams, greeting]("greet", "", b, a, b)
	if one.Hash != other.Hash || !slices.Equal(other.Scopes, []string{"a", "b"}) {
		t.Errorf("%q, %q", one.Scopes, other.Scopes)
	}
}

// picky rejects the name "nobody".
type picky struct {
	Name string `json:"name"`
}

func (p *picky) Validate() error {
	if p.Name == "nobody" {
		return errors.New("nobody is no name")
	}
	return nil
}

func TestOptionsPanicWhereTheyAreMisused(t *testing.T) {
	for _, test := range []struct {
		name string
		make func()
		want string
	}{
		{"an example of another type", func() { unary[nameParams, int]("m", "", plugin.Example(7)) }, `plugin: method "m": an example of type int, but its parameters are plugin_test.nameParams`},
		{"an example by a pointer", func() { unary[nameParams, int]("m", "", plugin.Example(&nameParams{})) }, `an example of type *plugin_test.nameParams`},
		{"an example that is invalid", func() { unary[picky, int]("m", "", plugin.Example(picky{"nobody"})) }, `plugin: method "m": example: Invalid params: nobody is no name`},
		{"an example that is no JSON", func() {
			unary[struct{ Any any }, int]("m", "", plugin.Example(struct{ Any any }{func() {}}))
		}, `plugin: method "m": example: `},
		{"an HTTP method in lower case", func() { plugin.HTTPMethod("get") }, `plugin: HTTPMethod: "get" is not GET`},
		{"an HTTP method that is none", func() { plugin.HTTPMethod("HEAD") }, `plugin: HTTPMethod: "HEAD" is not GET`},
		{"no HTTP method", func() { plugin.HTTPMethod("") }, `plugin: HTTPMethod: "" is not GET`},
		{"no time", func() { plugin.Timeout(0) }, `plugin: Timeout: 0s is not above zero`},
		{"less than no time", func() { plugin.Timeout(-time.Second) }, `plugin: Timeout: -1s is not above zero`},
		{"a scope for other parameters", func() { unary[picky, int]("m", "", plugin.RequiresFor("x", nameOf)) },
			`plugin: method "m": RequiresFor has another parameter type than plugin_test.picky`},
		{"quick and asking", func() { unary[nameParams, int]("m", "", plugin.Quick(), plugin.Bidirectional()) }, `plugin: method "m": a method that asks can't be quick`},
		{"questions without a schema", func() { plugin.BidirectionalOf[chan int, any]() }, `plugin: BidirectionalOf: questions: `},
		{"answers without a schema", func() { plugin.BidirectionalOf[any, chan int]() }, `plugin: BidirectionalOf: answers: `},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, test.want) {
					t.Errorf("panic %q, want %q", got, test.want)
				}
			}()
			test.make()
		})
	}
}

func TestQuickIsForMethodsThatAnswerOnce(t *testing.T) {
	quick := plugin.Quick()
	if !plugin.Unary("m", "", func(context.Context, nameParams) (int, error) { return 0, nil }, quick).IsQuick() {
		t.Error("a quick unary method is not")
	}
	if streamOf(nil, quick).IsQuick() {
		t.Error("a stream is quick")
	}
}
