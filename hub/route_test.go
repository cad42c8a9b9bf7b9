// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

func TestRouting(t *testing.T) {
	h, _ := newHub(t, "H", activation("registry", "get", "list"), activation("hash", "m"), activation("a_b-c", "d_e"))
	long := strings.Repeat("é", 200)
	for _, test := range []struct {
		path, params string
		want         []string
		provenance   []string
	}{
		{"registry.get", `{"name":"x"}`, []string{`data registry.get "for x"`, "done"}, []string{"registry"}},
		{"registry.get", `"x"`, []string{`data registry.get "for x"`, "done"}, []string{"registry"}},
		{"H.registry.get", `"x"`, []string{`data registry.get "for x"`, "done"}, []string{"registry"}},
		{"a_b-c.d_e", `"x"`, []string{`data a_b-c.d_e "for x"`, "done"}, []string{"a_b-c"}},
		{"H.hash.m", `"x"`, []string{`data hash.m "for x"`, "done"}, []string{"hash"}},
		{"hash.m", `"x"`, []string{`data hash.m "for x"`, "done"}, []string{"hash"}},

		{"nope.list", ``, []string{"error -32601 Activation not found: nope"}, []string{"H"}},
		{"nope.a.b", ``, []string{"error -32601 Activation not found: nope"}, []string{"H"}},
		{".list", ``, []string{"error -32601 Activation not found: "}, []string{"H"}},
		{"Registry.get", ``, []string{"error -32601 Activation not found: Registry"}, []string{"H"}},
		{"plexus.hash", ``, []string{"error -32601 Activation not found: plexus"}, []string{"H"}},
		{"registry.", ``, []string{"error -32601 Method not found: registry."}, []string{"H"}},
		{"registry.nope", ``, []string{"error -32601 Method not found: registry.nope"}, []string{"H"}},
		{"registry.Get", ``, []string{"error -32601 Method not found: registry.Get"}, []string{"H"}},
		{"registry.get.x", ``, []string{"error -32601 Method not found: registry.get.x"}, []string{"H"}},
		{"registry.get.", ``, []string{"error -32601 Method not found: registry.get."}, []string{"H"}},
		{"registry..get", ``, []string{"error -32601 Method not found: registry..get"}, []string{"H"}},
		{"registry.get ", ``, []string{"error -32601 Method not found: registry.get "}, []string{"H"}},
		{"H.nope", ``, []string{"error -32601 Method not found: H.nope"}, []string{"H"}},
		{"H.", ``, []string{"error -32601 Method not found: H."}, []string{"H"}},
		{"H.H.hash", ``, []string{"error -32601 Method not found: H.H.hash"}, []string{"H"}},
		{"H.nope.get", ``, []string{"error -32601 Method not found: H.nope.get"}, []string{"H"}},
		{"H.registry.nope", ``, []string{"error -32601 Method not found: H.registry.nope"}, []string{"H"}},
		{"H.respond", ``, []string{"error -32601 Method not found: H.respond"}, []string{"H"}},
		{"H._info", ``, []string{"error -32601 Method not found: H._info"}, []string{"H"}},

		{"list", ``, []string{"error -32602 Invalid params: Invalid method format: list"}, []string{"H"}},
		{"registry_list", ``, []string{"error -32602 Invalid params: Invalid method format: registry_list"}, []string{"H"}},
		{"H", ``, []string{"error -32602 Invalid params: Invalid method format: H"}, []string{"H"}},
		{"", ``, []string{"error -32602 Invalid params: Invalid method format: "}, []string{"H"}},
		{long, ``, []string{"error -32602 Invalid params: Invalid method format: " + long[:256] + "…"}, []string{"H"}},

		{"registry.get", `{}`, []string{"error -32602 Invalid params: missing field: name"}, []string{"H"}},
		{"registry.get", ``, []string{"error -32602 Invalid params: name: invalid type: null, expected a string"}, []string{"H"}},
		{"registry.get", `["x"]`, []string{"error -32602 Invalid params: name: invalid type: sequence, expected a string"}, []string{"H"}},
	} {
		t.Run(test.path+" "+test.params, func(t *testing.T) {
			all := items(t.Context(), h.Call(test.path, []byte(test.params)))
			equal(t, lines(all), test.want...)
			for _, item := range all {
				if !slices.Equal(item.Metadata.Provenance, test.provenance) || item.Metadata.Hash != h.Hash() {
					t.Errorf("%s: provenance %q, hash %s", describe(item), item.Metadata.Provenance, item.Metadata.Hash)
				}
			}
		})
	}
}

func TestFind(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m"), activation("A", "n"), activation("h", "o"))
	for path, want := range map[string]bool{
		"A.n": true, "a.n": false, "h.o": true,
		"a.m": true, "a.schema": true, "a.hash": true, "a.m.schema": true, "a.schema.schema": true, "a.hash.schema": false,
		"a.M": false, "a.": false, "b.m": false, ".m": false,
		"H.schema": true, "H.hash": true, "H.hashes": true, "H.call": true, "H.respond": false, "H.": false, "H.a.m": false,
	} {
		namespace, method, _ := strings.Cut(path, ".")
		if got := h.Find(namespace, method) != nil; got != want {
			t.Errorf("%s: found %v, want %v", path, got, want)
		}
	}
}

// nest wraps a call in n calls of the hub's call.
func nest(n int, path, params string) (string, string) {
	for range n {
		path, params = "H.call", fmt.Sprintf(`{"method":%q,"params":%s}`, path, params)
	}
	return path, params
}

func TestNestedCall(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m"))
	path, params := nest(2, "a.m", `{"name":"x"}`)
	all := items(t.Context(), h.Call(path, []byte(params)))
	want := []string{
		`data plexus.call [data plexus.call [data a.m "for x"]]`,
		`data plexus.call [data plexus.call [done]]`,
		`data plexus.call [done]`,
		`done`,
	}
	if got := lines(all); !slices.Equal(got, want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
	outer := all[0]
	middle := outer.Content.(plugin.Item)
	inner := middle.Content.(plugin.Item)
	for where, item := range map[string]struct {
		plugin.Item
		want string
	}{"outer": {outer, "plexus"}, "middle": {middle, "plexus"}, "inner": {inner, "a"}, "done": {all[3], "plexus"}} {
		if m := item.Metadata; !slices.Equal(m.Provenance, []string{item.want}) || m.Hash != h.Hash() || m.Timestamp == 0 {
			t.Errorf("%s: %+v", where, m)
		}
	}

	path, params = nest(1, "nope.m", "null")
	equal(t, run(t.Context(), h.Call(path, []byte(params))), "data plexus.call [error -32601 Activation not found: nope]", "done")
}

func TestNestedCallIsBounded(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m"))
	for depth, refused := range map[int]bool{8: false, 9: true, 500: true} {
		path, params := nest(depth, "a.m", `"x"`)
		all := items(t.Context(), h.Call(path, []byte(params)))
		text := strings.Join(lines(all), "\n")
		if got := strings.Contains(text, "calls are nested deeper than 8"); got != refused || strings.Contains(text, "for x") == refused {
			t.Errorf("depth %d: %s", depth, text)
		}
		if all[len(all)-1].Kind != plugin.KindDone {
			t.Errorf("depth %d: the outer call was refused", depth)
		}
	}
}
