// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// body makes an activation with one method, info, and children.
func body(name, description string, children ...plugin.Activation) plugin.Definition {
	return plugin.Definition{
		Namespace: name, Version: "1.0.0", Description: description, Children: children,
		Methods: []plugin.Method{plugin.Unary("info", "About "+name, func(ctx context.Context, _ plugin.None) (string, error) {
			return name + " at " + plugin.PathOf(ctx), nil
		})},
	}
}

// solar is a small system: solar, earth and mars, luna.
func solar(luna string) plugin.Definition {
	return body("solar", "The sun", body("earth", "Blue", body("luna", luna)), body("mars", "Red"))
}

func TestChildrenAreRouted(t *testing.T) {
	h, _ := newHub(t, "H", solar("Grey"))
	for _, test := range []struct {
		path       string
		want       []string
		provenance string
	}{
		{"solar.info", []string{`data solar.info "solar at solar.info"`, "done"}, "solar"},
		{"solar.earth.info", []string{`data solar.earth.info "earth at solar.earth.info"`, "done"}, "solar earth"},
		{"solar.earth.luna.info", []string{`data solar.earth.luna.info "luna at solar.earth.luna.info"`, "done"}, "solar earth luna"},
		{"H.solar.earth.luna.info", []string{`data solar.earth.luna.info "luna at solar.earth.luna.info"`, "done"}, "solar earth luna"},
		{"solar.earth", []string{`data solar.earth {"namespace":"earth","version":"1.0.0","description":"Blue"}`, "done"}, "solar"},
		{"solar.luna.info", []string{"error -32601 Method not found: solar.luna.info"}, "H"},
		{"earth.info", []string{"error -32601 Activation not found: earth"}, "H"},
		{"solar.earth.nope", []string{"error -32601 Method not found: solar.earth.nope"}, "H"},
		{"solar.earth.luna", []string{`data solar.earth.luna {"namespace":"luna","version":"1.0.0","description":"Grey"}`, "done"}, "solar earth"},
		{"solar..info", []string{"error -32601 Method not found: solar..info"}, "H"},
		{"solar.earth.", []string{"error -32601 Method not found: solar.earth."}, "H"},
		{"solar." + strings.Repeat("earth.", 300) + "info", []string{"error -32601 Method not found: " + ("solar." + strings.Repeat("earth.", 300))[:256] + "…"}, "H"},
	} {
		all := items(t.Context(), h.Call(test.path, nil))
		equal(t, lines(all), test.want...)
		for _, i := range all {
			if got := strings.Join(i.Metadata.Provenance, " "); got != test.provenance || i.Metadata.Hash != h.Hash() {
				t.Errorf("%s comes from %q, want %q", test.path, got, test.provenance)
			}
		}
	}
}

// TestProvenanceOfSiblings, however deep: they have most of it in common.
func TestProvenanceOfSiblings(t *testing.T) {
	h, _ := newHub(t, "H", body("a", "", body("b", "", body("c", "", body("d", ""), body("e", "")))))
	for _, path := range []string{"a.b.c.d", "a.b.c.e"} {
		for _, i := range items(t.Context(), h.Call(path+".info", nil)) {
			if got := strings.Join(i.Metadata.Provenance, "."); got != path {
				t.Errorf("%s comes from %s", path, got)
			}
		}
	}
}

// TestChildrenAtTheTopLevel are found by their whole path, as clients spell it.
func TestChildrenAtTheTopLevel(t *testing.T) {
	fleet := plugin.Definition{Namespace: "fleet", Dynamic: &plugin.Dynamic{Kind: "truck", Find: func(context.Context, string) (plugin.Activation, error) {
		return activation("truck", "position"), nil
	}}}
	h, _ := newHub(t, "H", solar("Grey"), fleet)
	for name, want := range map[string]wire.Action{
		"solar.earth.luna.info":           wire.Subscribe,
		"solar.earth.luna.schema":         wire.Subscribe,
		"solar.earth.luna.hash":           wire.Subscribe,
		"solar.earth":                     wire.Subscribe,
		"solar_earth":                     wire.Subscribe,
		"solar.earth.luna.info_unsub":     wire.Unsubscribe,
		"fleet.t1.position":               wire.Subscribe,
		"fleet.t1.position_unsub":         wire.Unsubscribe,
		"fleet.t1.anything":               wire.Subscribe, // who knows before it is found?
		"solar.earth.luna.nope":           wire.Unknown,
		"solar.earth.luna.nope_unsub":     wire.Unknown,
		"earth.info":                      wire.Unknown,
		"solar_earth.luna.info":           wire.Unknown,
		"solar.earth.luna_info":           wire.Unknown,
		"solar_unsubscribe_earth":         wire.Unsubscribe,
		"solar_earth.luna_unsubscribe_in": wire.Unknown,
	} {
		target := wire.Resolve(h, name)
		if target.Action != want {
			t.Errorf("%s: action %d, want %d", name, target.Action, want)
		}
		if want == wire.Subscribe && strings.Contains(name, ".") {
			call, fault := target.Route.Bind([]byte(`{"name":"x"}`))
			if fault != nil || target.Notify != name {
				t.Errorf("%s: %v, notified as %s", name, fault, target.Notify)
				continue
			}
			last := run(t.Context(), call)
			if got := last[len(last)-1]; got != "done" && name != "fleet.t1.anything" {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
}

// schemaAt asks for the schema of an activation by its path.
func schemaAt(t *testing.T, h *hub.Hub, path string) plugin.Schema {
	t.Helper()
	var s plugin.Schema
	contentOf(t, h, path+".schema", ``, &s)
	return s
}

func contentOf(t *testing.T, h *hub.Hub, path, params string, into any) {
	t.Helper()
	all := items(t.Context(), h.Call(path, []byte(params)))
	if len(all) != 2 || all[0].Kind != plugin.KindData {
		t.Fatalf("%s %s: %q", path, params, lines(all))
	}
	if !strings.HasSuffix(path, "hash") && !strings.HasSuffix(all[0].ContentType, "schema") {
		t.Errorf("%s: content type %s", path, all[0].ContentType)
	}
	text, err := codec.AppendJSON(nil, all[0].Content)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkHashes checks that what is said at every level agrees.
func checkHashes(t *testing.T, h *hub.Hub, path string, want plugin.ChildSchema) {
	t.Helper()
	s := schemaAt(t, h, path)
	var event struct{ Event, Value string }
	contentOf(t, h, path+".hash", ``, &event)
	if s.Namespace != want.Namespace || s.Description != want.Description || s.Hash != want.Hash || event.Event != "hash" || event.Value != want.Hash {
		t.Errorf("%s: %s %q %s, hash says %s; the level above %+v", path, s.Namespace, s.Description, s.Hash, event.Value, want)
	}
	if (len(s.Children) == 0) != (s.ChildrenHash == "") {
		t.Errorf("%s: %d children, hash %q", path, len(s.Children), s.ChildrenHash)
	}
	for _, m := range s.Methods {
		var one plugin.MethodSchema
		contentOf(t, h, path+".schema", fmt.Sprintf(`{"method":%q}`, m.Name), &one)
		if one.Name != m.Name || one.Hash != m.Hash {
			t.Errorf("%s: the schema of %s alone is that of %s", path, m.Name, one.Name)
		}
		if m.Role.Kind != "static_child" && m.Name != "schema" {
			contentOf(t, h, path+"."+m.Name+".schema", ``, &one)
			if one.Hash != m.Hash {
				t.Errorf("%s.%s.schema has another hash", path, m.Name)
			}
		}
	}
	for _, c := range s.Children {
		checkHashes(t, h, path+"."+c.Namespace, c)
	}
}

func TestSchemaAndHashAtEveryLevel(t *testing.T) {
	h, _ := newHub(t, "H", solar("Grey"), activation("echo", "once"))
	for _, c := range h.Schema().Children {
		checkHashes(t, h, c.Namespace, c)
	}
	s := schemaAt(t, h, "solar")
	kinds := map[string]string{}
	for _, m := range s.Methods {
		kinds[m.Name] = m.Role.Kind
	}
	if got := fmt.Sprint(kinds); got != "map[earth:static_child info:rpc mars:static_child schema:rpc]" {
		t.Errorf("%s", got)
	}
	for name, shown := range map[string]string{"nope": "nope", strings.Repeat("x", 5000): strings.Repeat("x", 256) + "…"} {
		all := run(t.Context(), h.Call("solar.earth.schema", fmt.Appendf(nil, `{"method":%q}`, name)))
		if !slices.Equal(all, []string{"error -32601 Method not found: solar.earth." + shown}) {
			t.Errorf("%q", all)
		}
	}
}
