// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"iter"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

// TestHashOfAMethodFollowsItsContent makes one change at a time: each gives a
// hash that no other has.
func TestHashOfAMethodFollowsItsContent(t *testing.T) {
	type described struct {
		Name string `json:"name" description:"A name"`
	}
	type renamed struct {
		Title string `json:"title"`
	}
	type retyped struct {
		Name int `json:"name"`
	}
	type optional struct {
		Name *string `json:"name"`
	}
	type defaulted struct {
		Name *string `json:"name" default:"\"x\""`
	}
	type extended struct {
		Name string `json:"name"`
		More *int   `json:"more"`
	}
	type loud struct {
		Text string `json:"text" description:"What is shouted"`
	}
	methods := map[string]plugin.MethodSchema{
		"as it was":             unary[nameParams, greeting]("greet", "Greets"),
		"name":                  unary[nameParams, greeting]("meet", "Greets"),
		"description":           unary[nameParams, greeting]("greet", "Greets people"),
		"parameter description": unary[described, greeting]("greet", "Greets"),
		"parameter name":        unary[renamed, greeting]("greet", "Greets"),
		"parameter type":        unary[retyped, greeting]("greet", "Greets"),
		"parameter optional":    unary[optional, greeting]("greet", "Greets"),
		"parameter default":     unary[defaulted, greeting]("greet", "Greets"),
		"one parameter more":    unary[extended, greeting]("greet", "Greets"),
		"no parameter":          unary[plugin.None, greeting]("greet", "Greets"),
		"result":                unary[nameParams, loud]("greet", "Greets"),
		"any result":            unary[nameParams, any]("greet", "Greets"),
		"list of results":       unary[nameParams, []greeting]("greet", "Greets"),
		"declared result":       unary[nameParams, any]("greet", "Greets", plugin.Returns[loud]()), // as "result": see below
		"streaming": plugin.Stream("greet", "Greets", func(context.Context, nameParams) iter.Seq2[greeting, error] {
			return nil
		}).Schema(),
		"long description":                      unary[nameParams, greeting]("greet", "Greets", plugin.LongDescription("At length")),
		"deprecated":                            unary[nameParams, greeting]("greet", "Greets", plugin.Deprecated("1", "2", "No")),
		"deprecated later":                      unary[nameParams, greeting]("greet", "Greets", plugin.Deprecated("1", "3", "No")),
		"HTTP method":                           unary[nameParams, greeting]("greet", "Greets", plugin.HTTPMethod("PUT")),
		"a scope":                               unary[nameParams, greeting]("greet", "Greets", plugin.Requires("a")),
		"another scope":                         unary[nameParams, greeting]("greet", "Greets", plugin.Requires("b")),
		"two scopes":                            unary[nameParams, greeting]("greet", "Greets", plugin.Requires("a"), plugin.Requires("b")),
		"an example":                            unary[nameParams, greeting]("greet", "Greets", plugin.Example(nameParams{"a"})),
		"another example":                       unary[nameParams, greeting]("greet", "Greets", plugin.Example(nameParams{"b"})),
		"asking":                                unary[nameParams, greeting]("greet", "Greets", plugin.Bidirectional()),
		"asking in its way":                     unary[nameParams, greeting]("greet", "Greets", plugin.BidirectionalOf[greeting, loud]()),
		"answered in its way":                   unary[nameParams, greeting]("greet", "Greets", plugin.BidirectionalOf[loud, greeting]()),
		"a byte moved from name to description": unary[nameParams, greeting]("gree", "tGreets"),
	}
	if a, b := methods["result"].Hash, methods["declared result"].Hash; a != b {
		t.Errorf("one result, given by Returns and by the type, has the hashes %s and %s", a, b)
	}
	delete(methods, "declared result")
	whose := map[string]string{}
	for change, method := range methods {
		if other, taken := whose[method.Hash]; taken {
			t.Errorf("%q and %q have one hash", change, other)
		}
		whose[method.Hash] = change
	}
	if again := unary[nameParams, greeting]("greet", "Greets"); again.Hash != methods["as it was"].Hash {
		t.Error("equal methods have unequal hashes")
	}
}

func TestSealFollowsTheContent(t *testing.T) {
	original := func() plugin.Schema {
		return plugin.Schema{
			Namespace: "n", Version: "1.0.0", Description: "d", LongDescription: "l",
			Methods:  []plugin.MethodSchema{{Hash: "1"}, {Hash: "2"}},
			Children: []plugin.ChildSchema{{Namespace: "a", Description: "A", Hash: "3"}, {Namespace: "b", Description: "B", Hash: "4"}},
		}
	}
	before := original()
	before.Seal()
	for _, test := range []struct {
		name           string
		change         func(s *plugin.Schema)
		self, children bool // which hashes change
	}{
		{"nothing", func(*plugin.Schema) {}, false, false},
		{"old hashes", func(s *plugin.Schema) { s.SelfHash, s.ChildrenHash, s.Hash = "x", "y", "z" }, false, false},
		{"namespace", func(s *plugin.Schema) { s.Namespace = "m" }, true, false},
		{"version", func(s *plugin.Schema) { s.Version = "1.0.1" }, true, false},
		{"description", func(s *plugin.Schema) { s.Description = "e" }, true, false},
		{"long description", func(s *plugin.Schema) { s.LongDescription = "" }, true, false},
		{"text moved between fields", func(s *plugin.Schema) { s.Description, s.LongDescription = "dl", "" }, true, false},
		{"a method", func(s *plugin.Schema) { s.Methods[1].Hash = "9" }, true, false},
		{"a method less", func(s *plugin.Schema) { s.Methods = s.Methods[:1] }, true, false},
		{"the order of methods", func(s *plugin.Schema) { s.Methods[0], s.Methods[1] = s.Methods[1], s.Methods[0] }, false, false},
		{"the order of children", func(s *plugin.Schema) { s.Children[0], s.Children[1] = s.Children[1], s.Children[0] }, false, false},
		{"a child's hash", func(s *plugin.Schema) { s.Children[0].Hash = "9" }, false, true},
		{"a child's description", func(s *plugin.Schema) { s.Children[0].Description = "C" }, false, true},
		{"a child's name", func(s *plugin.Schema) { s.Children[1].Namespace = "c" }, false, true},
		{"a child less", func(s *plugin.Schema) { s.Children = s.Children[:1] }, false, true},
		{"no children", func(s *plugin.Schema) { s.Children = nil }, false, true},
	} {
		after := original()
		test.change(&after)
		after.Seal()
		if self, children, whole := after.SelfHash != before.SelfHash, after.ChildrenHash != before.ChildrenHash, after.Hash != before.Hash; self != test.self || children != test.children || whole != (test.self || test.children) {
			t.Errorf("%s: self, children, whole changed: %v, %v, %v", test.name, self, children, whole)
		}
	}
	leaf := original()
	leaf.Children = nil
	if leaf.Seal(); leaf.ChildrenHash != "" {
		t.Error("a schema without children has a hash over them")
	}
}
