// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"cmp"
	"context"
	"iter"
	"strings"

	"github.com/plexus-go/plexus/internal/codec"
)

// Dynamic finds the children of an activation that are not there once and for
// all: rows of a table, connected machines, whatever has a name.
//
// A child is reached by its path, "fleet.truck-7.position". In the schema of
// its parent stands a method of the name Gate whose role is "dynamic_child",
// and list_children and search_children beside it, where they are offered.
type Dynamic struct {
	// Gate names the kind of children in the singular, "truck". To call it
	// with a name tells whether there is such a child.
	Gate        string
	Description string
	// Find returns the child of that name; nil where there is none. Any name
	// may be asked for, not only one that ValidateName accepts, but without
	// dots. A child that is the same value as before, the same pointer for one,
	// is not looked at again. One that is made anew at each call costs about
	// a millisecond for a few methods, at each level of the path: keep them.
	// Find gives children that are ready: a hub neither starts nor closes them.
	Find func(ctx context.Context, name string) (Activation, error)
	// List yields the names of all children; nil where that is not offered.
	List func(ctx context.Context) iter.Seq2[string, error]
	// Search yields the names of the children that a query finds; nil where
	// that is not offered.
	Search func(ctx context.Context, query string) iter.Seq2[string, error]
}

// Names of the methods that list and search children.
const (
	listChildren   = "list_children"
	searchChildren = "search_children"
)

// The parameters of gates and of searches.
type (
	childParams struct {
		Name string `json:"name" description:"The name of the child"`
	}
	searchParams struct {
		Query string `json:"query" description:"What to search for"`
	}
)

// methods are what the schema shows for d.
func (d *Dynamic) methods() []Method {
	role := Role{Kind: "dynamic_child"}
	var beside []Method
	if d.List != nil {
		role.ListMethod = listChildren
		beside = append(beside, Stream(listChildren, "List the names of all children",
			func(ctx context.Context, _ None) iter.Seq2[string, error] { return d.List(ctx) }))
	}
	if d.Search != nil {
		role.SearchMethod = searchChildren
		beside = append(beside, Stream(searchChildren, "Find the names of children",
			func(ctx context.Context, in searchParams) iter.Seq2[string, error] { return d.Search(ctx, in.Query) }))
	}
	gate := Unary(d.Gate, d.Description, func(ctx context.Context, in childParams) (childSummary, error) {
		var child Activation
		var err error
		if !strings.Contains(in.Name, ".") { // no path leads to one
			child, err = d.Find(ctx, in.Name)
		}
		if err != nil {
			return childSummary{}, err
		}
		if child == nil {
			return childSummary{}, Errorf(CodeMethodNotFound, "Activation not found: %s", codec.Shorten(in.Name))
		}
		return summaryOf(child.Define()), nil
	}, withRole(role))
	return append([]Method{gate}, beside...)
}

// childSummary is what a gate tells of a child.
type childSummary struct {
	Namespace   string `json:"namespace"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

func summaryOf(d Definition) childSummary {
	return childSummary{Namespace: d.Namespace, Version: cmp.Or(d.Version, defaultVersion), Description: d.Description}
}

func withRole(r Role) Option { return func(m *Method) { m.schema.Role = r } }
