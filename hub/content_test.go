// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
)

// A wizard asks its way to a result.
type (
	spell struct {
		Name  string  `json:"name" description:"What to cast"`
		Force *uint8  `json:"force" default:"3"`
		On    element `json:"on"`
	}
	element string
)

// elements are the values of the enumeration, which one of the tests changes.
var elements = []plugin.Choice{{Value: "fire"}, {Value: "water"}}

func (element) Enum() []plugin.Choice { return elements }

func cast[In, Out any](name, description string, options ...plugin.Option) plugin.Method {
	return plugin.Stream(name, description, func(context.Context, In) iter.Seq2[Out, error] {
		return func(func(Out, error) bool) {}
	}, options...)
}

// grounds is what a small hub is made of.
type grounds struct {
	namespace string
	options   []hub.Option
	echo      plugin.Definition
	solar     plugin.Definition
	wizard    plugin.Definition
	also      []plugin.Activation
	order     []int
}

func originalGrounds() *grounds {
	wizard := plugin.Definition{Namespace: "wizard", Version: "1.0.0", Description: "Asks", LongDescription: "And asks", Methods: []plugin.Method{
		cast[spell, point]("cast", "Cast a spell", plugin.Bidirectional(), plugin.Requires("magic")),
		plugin.Unary("rest", "Rest", func(context.Context, plugin.None) (string, error) { return "", nil }, plugin.HTTPMethod("PUT")),
	}}
	return &grounds{namespace: "H", echo: activation("echo", "once", "repeat"), solar: solar("Grey"), wizard: wizard, order: []int{0, 1, 2}}
}

func (g *grounds) hub(t *testing.T) *hub.Hub {
	t.Helper()
	h, err := hub.New(g.namespace, g.options...)
	if err != nil {
		t.Fatal(err)
	}
	all := []plugin.Activation{g.echo, g.solar, g.wizard}
	for _, i := range g.order {
		register(t, h, all[i])
	}
	for _, a := range g.also {
		register(t, h, a)
	}
	return h
}

// TestHashesFollowTheContent changes one thing at a time. Every content gives
// the hub a hash that no other has, whatever else changes gives it the same,
// and only the activation that has changed has another.
func TestHashesFollowTheContent(t *testing.T) {
	replaceCast := func(m plugin.Method) func(g *grounds) {
		return func(g *grounds) { g.wizard.Methods = []plugin.Method{m, g.wizard.Methods[1]} }
	}
	asks, magic := plugin.Bidirectional(), plugin.Requires("magic")
	before := originalGrounds().hub(t)
	old := hashesByName(before)
	whose := map[string]string{}
	noop := func(_ plugin.Method, next plugin.Handler) plugin.Handler { return next }
	for _, test := range []struct {
		name    string
		change  func(g *grounds)
		changed string // the activation whose hash is another; "hub" for none but the hub's, empty for nothing
	}{
		{"nothing", func(*grounds) {}, ""},
		{"the order of registration", func(g *grounds) { g.order = []int{2, 0, 1} }, ""},
		{"the order of methods", func(g *grounds) {
			g.wizard.Methods = slices.Clone(g.wizard.Methods)
			slices.Reverse(g.wizard.Methods)
		}, ""},
		{"the order of children", func(g *grounds) { slices.Reverse(g.solar.Children) }, ""},
		{"the order of options", replaceCast(cast[spell, point]("cast", "Cast a spell", magic, asks)), ""},
		{"a method that is made again", replaceCast(cast[spell, point]("cast", "Cast a spell", asks, magic)), ""},
		{"a middleware", func(g *grounds) { g.wizard.Middleware = []plugin.Middleware{noop} }, ""},
		{"a middleware of the hub", func(g *grounds) { g.options = []hub.Option{hub.WithMiddleware(noop)} }, ""},
		{"how long it drains", func(g *grounds) { g.options = []hub.Option{hub.WithDrain(1)} }, ""},
		{"who resolves handles", func(g *grounds) {
			g.wizard.Resolve = func(context.Context, plugin.Handle) (any, error) { return nil, nil }
		}, ""},

		{"the hub's name", func(g *grounds) { g.namespace = "I" }, "hub"},
		{"the hub's version", func(g *grounds) { g.options = []hub.Option{hub.WithVersion("1.0.1")} }, "hub"},
		{"the hub's description", func(g *grounds) { g.options = []hub.Option{hub.WithDescription("Another")} }, "hub"},
		{"an activation more", func(g *grounds) { g.also = []plugin.Activation{activation("more", "m")} }, "hub"},
		{"an activation less", func(g *grounds) { g.order = []int{1, 2} }, "hub"},

		{"a namespace", func(g *grounds) { g.wizard.Namespace = "witch" }, "wizard"},
		{"a version", func(g *grounds) { g.wizard.Version = "1.0.1" }, "wizard"},
		{"a description", func(g *grounds) { g.wizard.Description = "Asks on" }, "wizard"},
		{"a long description", func(g *grounds) { g.wizard.LongDescription = "" }, "wizard"},
		{"a method less", func(g *grounds) { g.wizard.Methods = g.wizard.Methods[:1] }, "wizard"},
		{"a method's name", replaceCast(cast[spell, point]("throw", "Cast a spell", asks, magic)), "wizard"},
		{"a method's description", replaceCast(cast[spell, point]("cast", "Cast spells", asks, magic)), "wizard"},
		{"a value of an enumeration", func(g *grounds) {
			elements = append(elements, plugin.Choice{Value: "air"})
			replaceCast(cast[spell, point]("cast", "Cast a spell", asks, magic))(g)
			elements = elements[:2]
		}, "wizard"},
		{"dynamic children", func(g *grounds) {
			g.wizard.Dynamic = &plugin.Dynamic{Kind: "apprentice", Find: func(context.Context, string) (plugin.Activation, error) { return nil, nil }}
		}, "wizard"},

		{"a child less", func(g *grounds) { g.solar.Children = g.solar.Children[:1] }, "solar"},
		{"a child more", func(g *grounds) { g.solar.Children = append(g.solar.Children, body("venus", "Hot")) }, "solar"},
		{"a child's name", func(g *grounds) { g.solar = body("solar", "The sun", g.solar.Children[0], body("ares", "Red")) }, "solar"},
		{"a child that moves down", func(g *grounds) {
			g.solar = body("solar", "The sun", body("earth", "Blue", body("luna", "Grey"), body("mars", "Red")))
		}, "solar"},
		{"a child of a child", func(g *grounds) { g.solar = solar("Cratered") }, "solar"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := originalGrounds()
			test.change(g)
			after := g.hub(t)
			if (before.Hash() != after.Hash()) != (test.changed != "") {
				t.Errorf("the hub's hash has changed: %v", before.Hash() != after.Hash())
			}
			for _, c := range after.Schema().Children {
				was, there := old[c.Namespace]
				if there && (was != c.Hash) != (c.Namespace == test.changed) {
					t.Errorf("the hash of %s has changed: %v", c.Namespace, was != c.Hash)
				}
			}
			if !slices.IsSortedFunc(after.Schema().Children, func(a, b plugin.ChildSchema) int { return strings.Compare(a.Namespace, b.Namespace) }) {
				t.Error("the activations are shown in the order of their registration")
			}
			if other, taken := whose[after.Hash()]; taken && test.changed != "" {
				t.Errorf("%s has the same hash", other)
			}
			whose[after.Hash()] = test.name
		})
	}
}

func hashesByName(h *hub.Hub) map[string]string {
	all := map[string]string{}
	for _, c := range h.Schema().Children {
		all[c.Namespace] = c.Hash
	}
	return all
}
