// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// node is an activation whose children are made by a function.
type node struct {
	name     string
	children func() []plugin.Activation
	defined  int
}

func (n *node) Define() plugin.Definition {
	n.defined++
	d := plugin.Definition{Namespace: n.name, Version: "1.0.0", Description: "The " + n.name}
	if n.children != nil {
		d.Children = n.children()
	}
	return d
}

// deeper is a new value each time.
func deeper() plugin.Activation {
	return &node{name: "a", children: func() []plugin.Activation { return []plugin.Activation{deeper()} }}
}

// wider has children of its own kind that no comparison finds.
type wider struct{ _ []int }

func (w wider) Define() plugin.Definition {
	return plugin.Definition{Namespace: "w", Children: []plugin.Activation{
		plugin.Definition{Namespace: "one", Children: []plugin.Activation{w}},
		plugin.Definition{Namespace: "two", Children: []plugin.Activation{w}},
	}}
}

func line(levels int) plugin.Activation {
	var below []plugin.Activation
	for i := levels; i > 0; i-- {
		below = []plugin.Activation{plugin.Definition{Namespace: fmt.Sprint("n", i), Children: below}}
	}
	return below[0]
}

func named(names ...string) []plugin.Method {
	var methods []plugin.Method
	for _, name := range names {
		methods = append(methods, plugin.Unary(name, "", greet))
	}
	return methods
}

func TestTreeOfRejects(t *testing.T) {
	itself := &node{name: "sun"}
	itself.children = func() []plugin.Activation { return []plugin.Activation{itself} }
	through := &node{name: "sun"}
	through.children = func() []plugin.Activation {
		return []plugin.Activation{plugin.Definition{Namespace: "earth", Children: []plugin.Activation{through}}}
	}
	child := func(d ...plugin.Activation) plugin.Definition {
		return plugin.Definition{Namespace: "sun", Children: d}
	}
	with := func(name string, d plugin.Definition) plugin.Definition {
		d.Methods = append(d.Methods, plugin.Unary(name, "", func(context.Context, plugin.None) (int, error) { return 0, nil }))
		return d
	}
	earth := plugin.Definition{Namespace: "earth"}
	find := func(context.Context, string) (plugin.Activation, error) { return nil, nil }
	list := func(context.Context) iter.Seq2[string, error] { return nil }
	for _, test := range []struct {
		name string
		a    plugin.Activation
		want string
	}{
		{"nothing", nil, "a nil activation"},
		{"a child that is nothing", child(nil), `activation "sun": a nil activation`},
		{"its own child", itself, `activation "sun": more than 16 levels or 10000 activations: is it its own descendant?`},
		{"its own grandchild", through, `more than 16 levels or 10000 activations: is it its own descendant?`},
		{"a child of its kind, made anew", deeper(), `more than 16 levels or 10000 activations`},
		{"two children of its kind, made anew", wider{}, `more than 16 levels or 10000 activations`},
		{"too deep", line(17), `more than 16 levels`},
		{"too many", child(slices.Repeat([]plugin.Activation{earth}, 10_000)...), `10000 activations`},
		{"two children of one name", child(earth, earth), `activation "sun": method "earth" is taken`},
		{"a child with the name of a method", with("earth", child(earth)), `activation "sun": method "earth" is taken`},
		{"a child named schema", child(plugin.Definition{Namespace: "schema"}), `activation "sun": method "schema" is taken`},
		{"a child named hash", child(plugin.Definition{Namespace: "hash"}), `activation "sun": method "hash" is taken`},
		{"a malformed child", child(plugin.Definition{Namespace: "a.b"}), `activation "sun": namespace "a.b" is malformed`},
		{"a malformed grandchild", child(plugin.Definition{Namespace: "earth", Children: []plugin.Activation{plugin.Definition{}}}), `activation "sun": activation "earth": namespace "" is malformed`},
		{"the zero Method", plugin.Definition{Namespace: "sun", Methods: []plugin.Method{{}}}, `a method that neither Unary nor Stream made`},
		{"no namespace", plugin.Definition{}, `namespace "" is malformed`},
		{"a malformed method", plugin.Definition{Namespace: "a", Methods: named("one", "t wo")}, `activation "a": method "t wo" is malformed`},
		{"a malformed version", plugin.Definition{Namespace: "a", Version: "v1.0.0"}, `version "v1.0.0": expected one like "1.0.0"`},
		{"a short version", plugin.Definition{Namespace: "a", Version: "1.0"}, "expected one like"},
		{"a method twice", plugin.Definition{Namespace: "a", Methods: named("one", "two", "one")}, `method "one" is taken`},
		{"the hub's schema", plugin.Definition{Namespace: "a", Methods: named("schema")}, `method "schema" is taken`},
		{"the hub's hash", plugin.Definition{Namespace: "a", Methods: named("hash")}, `method "hash" is taken`},
		{"dynamic children without Find", plugin.Definition{Namespace: "sun", Dynamic: &plugin.Dynamic{Kind: "planet"}}, `dynamic children "planet" without Find`},
		{"dynamic children without a kind", plugin.Definition{Namespace: "sun", Dynamic: &plugin.Dynamic{Find: find}}, `method "" is malformed`},
		{"a method with the name of a child", plugin.Definition{Namespace: "sun", Children: []plugin.Activation{earth}, Dynamic: &plugin.Dynamic{Kind: "earth", Find: find}}, `method "earth" is taken`},
		{"a method with the name of a list", plugin.Definition{Namespace: "sun", Dynamic: &plugin.Dynamic{Kind: "list_children", Find: find, List: list}}, `method "list_children" is taken`},
		{"a method with the name of a list", with("list_children", plugin.Definition{Namespace: "sun", Dynamic: &plugin.Dynamic{Kind: "planet", Find: find, List: list}}), `method "list_children" is taken`},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree, err := plugin.TreeOf(test.a)
			if tree != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	for _, d := range []plugin.Definition{
		{Namespace: "a", Methods: named("one", "two")}, {Namespace: "a-b_C9"}, {Namespace: "a", Version: "1.2.3-rc.1+5"},
		{Namespace: "a", Methods: named("one", "One")},
	} {
		if _, err := plugin.TreeOf(d); err != nil {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

func TestTreeTakes(t *testing.T) {
	moon := &node{name: "moon"}
	shared := plugin.Definition{Namespace: "sun", Children: []plugin.Activation{
		plugin.Definition{Namespace: "earth", Children: []plugin.Activation{moon}},
		plugin.Definition{Namespace: "mars", Children: []plugin.Activation{moon}}, // in two places, but nowhere below itself
	}}
	tree, err := plugin.TreeOf(shared)
	if err != nil || len(tree.Children) != 2 || tree.Children[1].Children[0].Activation != plugin.Activation(moon) {
		t.Errorf("one activation in two places: %v", err)
	}
	if moon.defined != 2 {
		t.Errorf("it was asked %d times, want once for each place", moon.defined)
	}
	if _, err := plugin.TreeOf(line(16)); err != nil {
		t.Errorf("16 levels: %v", err)
	}
}

// TestChildrenInTheSchema states how children show among the methods. What these
// answer is tested with a hub.
func TestChildrenInTheSchema(t *testing.T) {
	none := func(context.Context, string) iter.Seq2[string, error] { return nil }
	d := plugin.Dynamic{
		Kind: "truck", Description: "A truck",
		Find:   func(context.Context, string) (plugin.Activation, error) { return nil, nil },
		List:   func(ctx context.Context) iter.Seq2[string, error] { return none(ctx, "") },
		Search: none,
	}
	tree, err := plugin.TreeOf(plugin.Definition{Namespace: "fleet", Children: []plugin.Activation{&node{name: "depot"}}, Dynamic: &d})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range tree.Methods {
		role, err := json.Marshal(m.Schema().Role)
		if err != nil {
			t.Fatal(err)
		}
		got[m.Name()] = fmt.Sprintf("%s %s", role, m.Schema().Description)
	}
	want := map[string]string{
		"depot":           `{"kind":"static_child"} The depot`,
		"truck":           `{"kind":"dynamic_child","list_method":"list_children","search_method":"search_children"} A truck`,
		"list_children":   `{"kind":"rpc"} List the names of all children`,
		"search_children": `{"kind":"rpc"} Find the names of children`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	d.List, d.Search = nil, nil
	tree, err = plugin.TreeOf(plugin.Definition{Namespace: "fleet", Dynamic: &d})
	if err != nil || len(tree.Methods) != 1 || tree.Methods[0].Schema().Role != (plugin.Role{Kind: "dynamic_child"}) {
		t.Errorf("without list and search: %v", err)
	}
}

// outcome runs a method and says what it yields.
func outcome(t *testing.T, m plugin.Method, ctx context.Context, params string) []string {
	t.Helper()
	in, err := m.Bind([]byte(params), false)
	if err != nil {
		return []string{"refused " + err.Error()}
	}
	var all []string
	for content, err := range m.Handle(ctx, in) {
		if err != nil {
			all = append(all, "error "+err.Error())
			continue
		}
		text, err := codec.AppendJSON(nil, content)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
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
