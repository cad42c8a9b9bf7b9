// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
)

// content runs a call that answers once and returns the JSON of its content.
func content(t *testing.T, call hub.Call) (item plugin.Item, text []byte) {
	t.Helper()
	all := items(t.Context(), call)
	if len(all) != 2 || all[0].Kind != plugin.KindData || all[1].Kind != plugin.KindDone {
		t.Fatalf("%q", lines(all))
	}
	text, err := codec.AppendJSON(nil, all[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	return all[0], text
}

func bound(t *testing.T, route *hub.Route, params string) hub.Call {
	t.Helper()
	call, err := route.Bind([]byte(params))
	if err != nil {
		t.Fatal(err)
	}
	return call
}

func TestInfo(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m"))
	for _, params := range []string{"", "null", "[]", "{}", `{"x":1}`, "[1]", "5", `"x"`} {
		all := items(t.Context(), bound(t, h.Info(), params))
		want := []string{`data _info {"backend":"H","auth_capabilities":{"mechanisms":[{"kind":"anonymous"}]}}`, "done"}
		if got := lines(all); !slices.Equal(got, want) {
			t.Errorf("%s: %q", params, got)
		}
		for _, item := range all {
			if m := item.Metadata; m.Provenance == nil || len(m.Provenance) != 0 || m.Hash != h.Hash() {
				t.Errorf("%s: %+v", params, m)
			}
		}
	}
}

// without leaves out what is another on every machine: the values of hashes,
// and the children.
func without(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			switch key {
			case "self_hash", "children_hash", "hash", "children":
				// A schema's, unless it is the name of a property.
				if _, isText := value.(string); isText || key == "children" && isList(value) {
					delete(v, key)
				}
			}
			without(value)
		}
	case []any:
		for _, value := range v {
			without(value)
		}
	}
	return v
}

func isList(v any) bool { _, ok := v.([]any); return ok }

func parsed(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestHubSchemaIsAsRecorded(t *testing.T) {
	h, _ := newHub(t, "registry-hub", activation("registry", "list"))
	exchanges := testkit.Recordings(t, "hub-schema")
	exchanges = append(exchanges, testkit.Recordings(t, "call-hub-schema")[:2]...)
	for _, e := range exchanges {
		var call hub.Call
		if e.Request.Method == "registry-hub.schema" {
			call = bound(t, h.Find(h.Namespace(), "schema"), string(e.Request.Params))
		} else {
			var err error
			if call, err = h.Find(h.Namespace(), "call").Bind(e.Request.Params); err != nil {
				t.Fatal(err)
			}
		}
		items, _ := e.Items(t)
		item, text := content(t, call)
		matcher := testkit.Matcher{Dir: t.TempDir()}
		recorded, err := json.Marshal(without(parsed(t, items[0].Content)))
		if err == nil {
			err = os.WriteFile(filepath.Join(matcher.Dir, "recorded.json"), recorded, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := matcher.Match(json.RawMessage(`"$superset recorded.json"`), text); err != nil {
			t.Errorf("%s %s: %v", e.Request.Method, e.Request.Params, err)
		}
		if want := items[0]; !slices.Equal(item.Metadata.Provenance, want.Metadata.Provenance) || item.ContentType != want.ContentType {
			t.Errorf("%s %s: %s from %q, want %+v", e.Request.Method, e.Request.Params, item.ContentType, item.Metadata.Provenance, want)
		}
	}
}

// TestSchemasShowTheParameterOfSchema, the hub's and those of activations.
func TestSchemasShowTheParameterOfSchema(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m"))
	for _, route := range []*hub.Route{h.Find("H", "schema"), h.Find("a", "schema")} {
		_, text := content(t, bound(t, route, ""))
		var got plugin.Schema
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		last := got.Methods[len(got.Methods)-1]
		const want = `{"type":"object","properties":{"method":{"type":["string","null"],"description":"Only this method's schema","default":null}}}`
		if last.Name != "schema" || string(last.Params) != want {
			t.Errorf("%s: %s %s", got.Namespace, last.Name, last.Params)
		}
	}
}

func TestHubSchemaListsTheActivations(t *testing.T) {
	h, _ := newHub(t, "H", activation("b", "m"), activation("a", "m"))
	_, text := content(t, bound(t, h.Find(h.Namespace(), "schema"), ""))
	var got plugin.Schema
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got.Children, h.Schema().Children) {
		t.Errorf("children %+v, %v", got.Children, err)
	}
	if c := got.Children; len(c) != 2 || c[0].Namespace != "a" || c[1].Namespace != "b" || c[0].Description != "The activation a" {
		t.Errorf("children %+v", c)
	}
	if _, text := content(t, h.Call("a.schema", nil)); parsed(t, text).(map[string]any)["children"] != nil {
		t.Error("an activation without children has the member children")
	}
}

func TestHashesAgree(t *testing.T) {
	h, _ := newHub(t, "H", activation("b", "m"), activation("a", "m"))
	s := h.Schema()
	want := map[string]any{
		"namespace": "H", "self_hash": s.SelfHash, "children_hash": s.ChildrenHash, "hash": s.Hash,
		"children": []any{
			map[string]any{"namespace": "a", "hash": s.Children[0].Hash},
			map[string]any{"namespace": "b", "hash": s.Children[1].Hash},
		},
	}
	for _, call := range []hub.Call{bound(t, h.Find(h.Namespace(), "hashes"), "[]"), h.Call("H.hashes", nil)} {
		if _, text := content(t, call); !reflect.DeepEqual(parsed(t, text), want) {
			t.Errorf("%s, want %v", text, want)
		}
	}
	for path, hash := range map[string]string{"H.hash": s.Hash, "a.hash": s.Children[0].Hash, "b.hash": s.Children[1].Hash} {
		item, text := content(t, h.Call(path, nil))
		if string(text) != fmt.Sprintf(`{"event":"hash","value":%q}`, hash) {
			t.Errorf("%s: %s, want %s", path, text, hash)
		}
		if item.Metadata.Hash != h.Hash() {
			t.Errorf("%s: the metadata has the hash %s", path, item.Metadata.Hash)
		}
	}
	empty, _ := newHub(t, "H")
	if _, text := content(t, bound(t, empty.Find(empty.Namespace(), "hashes"), "")); len(parsed(t, text).(map[string]any)) != 3 {
		t.Errorf("without activations: %s", text)
	}
}

func TestOwnMethodsFollowRegistrations(t *testing.T) {
	h, _ := newHub(t, "H")
	seen := map[string]bool{}
	for _, step := range []func() error{
		func() error { return nil },
		func() error { return h.Register(activation("a", "m")) },
		func() error { return h.Register(activation("b", "m")) },
		func() error { return h.Unregister("a") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		_, hash := content(t, bound(t, h.Find(h.Namespace(), "hash"), ""))
		if string(hash) != fmt.Sprintf(`{"event":"hash","value":%q}`, h.Hash()) || seen[h.Hash()] {
			t.Errorf("%s, the hub's hash is %s, seen before: %v", hash, h.Hash(), seen[h.Hash()])
		}
		seen[h.Hash()] = true
		_, schema := content(t, bound(t, h.Find(h.Namespace(), "schema"), ""))
		if got := parsed(t, schema).(map[string]any)["hash"]; got != h.Hash() {
			t.Errorf("the schema has the hash %v, the hub %s", got, h.Hash())
		}
	}
}

func TestSchemaOfOneMethod(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m", "n"))
	for _, test := range []struct {
		path, params      string
		name, contentType string
	}{
		{"a.schema", `{"method":"n"}`, "n", "a.schema"},
		{"a.schema", `"m"`, "m", "a.schema"},
		{"a.schema", `{"method":"schema"}`, "schema", "a.schema"},
		{"a.m.schema", ``, "m", "a.method_schema"},
		{"a.m.schema", `{"method":"n"}`, "m", "a.method_schema"},
		{"a.schema.schema", ``, "schema", "a.method_schema"},
		{"H.a.n.schema", ``, "n", "a.method_schema"},
		{"H.schema", `{"method":"call"}`, "call", "plexus.schema"},
	} {
		item, text := content(t, h.Call(test.path, []byte(test.params)))
		got := parsed(t, text).(map[string]any)
		if got["name"] != test.name || item.ContentType != test.contentType {
			t.Errorf("%s %s: %v, %s", test.path, test.params, got["name"], item.ContentType)
		}
	}
	for _, test := range []struct{ path, params, want string }{
		{"a.schema", `{"method":"nope"}`, "error -32601 Method not found: a.nope"},
		{"a.schema", `{"method":""}`, "error -32601 Method not found: a."},
		{"H.schema", `{"method":"nope"}`, "error -32601 Method not found: plexus.nope"},
		{"a.schema", `{"method":5}`, "error -32602 Invalid params: method: invalid type: integer `5`, expected a string"},
	} {
		all := items(t.Context(), h.Call(test.path, []byte(test.params)))
		if got := lines(all); !slices.Equal(got, []string{test.want}) || !slices.Equal(all[0].Metadata.Provenance, []string{"H"}) {
			t.Errorf("%s %s: %q from %q", test.path, test.params, got, all[0].Metadata.Provenance)
		}
	}
}

func TestBindCall(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m"))
	for _, params := range []string{
		`{"method":"a.m","params":{"name":"x"}}`, `["a.m",{"name":"x"}]`, `["a.m","x"]`, `{"params":"x","method":"a.m","extra":1}`,
	} {
		call, err := h.Find(h.Namespace(), "call").Bind([]byte(params))
		if err != nil {
			t.Errorf("%s: %v", params, err)
			continue
		}
		equal(t, run(t.Context(), call), `data a.m "for x"`, "done")
	}
	for _, params := range []string{`"H.hash"`, `["H.hash"]`, `{"method":"H.hash","params":null}`} {
		call, err := h.Find(h.Namespace(), "call").Bind([]byte(params))
		if err != nil {
			t.Errorf("%s: %v", params, err)
			continue
		}
		content(t, call)
	}
	for params, want := range map[string]string{
		``:                          "invalid type: null, expected struct CallParams at line 1 column 4",
		`null`:                      "invalid type: null, expected struct CallParams at line 1 column 4",
		`{}`:                        "missing field `method` at line 1 column 2",
		`[]`:                        "No more params",
		`{"method":5}`:              "method: invalid type: integer `5`, expected a string at line 1 column 11",
		`{"method":null}`:           "method: invalid type: null, expected a string at line 1 column 14",
		`{"method":"a","method":1}`: "",
	} {
		_, err := h.Find(h.Namespace(), "call").Bind([]byte(params))
		var bad *plugin.Error
		if !errors.As(err, &bad) || bad.Code != plugin.CodeInvalidParams || want != "" && bad.Detail() != want {
			t.Errorf("%s: %v, want %q", params, err, want)
		}
	}
}

func TestRespondToNoQuestion(t *testing.T) {
	h, _ := newHub(t, "H")
	for params, want := range map[string]string{
		`{"request_id":"x","response_data":{}}`: "Unknown request ID: x. The request may have timed out or been cancelled.",
		`["x",{}]`:                              "Unknown request ID: x. The request may have timed out or been cancelled.",
		`{"request_id":"x"}`:                    "Unknown request ID: x. The request may have timed out or been cancelled.",
	} {
		var failure *plugin.Error
		if err := h.Respond(t.Context(), []byte(params)); !errors.As(err, &failure) || failure.Code != plugin.CodeInvalidParams || failure.Message != want {
			t.Errorf("%s: %v", params, err)
		}
	}
	for _, params := range []string{"", "null", "{}", "7", `{"request_id":5}`, `{"response_data":{}}`, "[]"} {
		var bad *plugin.Error
		if err := h.Respond(t.Context(), []byte(params)); !errors.As(err, &bad) || bad.Detail() == "" {
			t.Errorf("%s: %v", params, err)
		}
	}
}
