// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"cmp"
	"context"
	"iter"
	"strings"
)

// Dynamic finds children of an activation at run time: rows of a table,
// connected machines, anything that has a name.
//
// A child is called by its path, "fleet.truck-7.position" or "fleet.42.position".
// The schema of its parent shows a method named Kind, whose role is
// "dynamic_child", and the methods list_children and search_children, if they are
// offered.
type Dynamic struct {
	// Kind is what the children are, in the singular: "truck". The method of
	// that name answers what a child of a given name is, or null if there is none.
	Kind        string
	Description string
	// Find returns the child of that name; nil if there is none. Any name
	// without dots may be asked for, not only those that ValidateName accepts. The
	// child is shown by that name, whatever Namespace its Definition has.
	// Return the same value, such as the same pointer, for the same child: a new
	// one costs about a millisecond a call for a few methods, at each level of
	// the path. A hub neither starts nor closes these children.
	Find func(ctx context.Context, name string) (Activation, error)
	// List yields the names of all children; nil if that is not offered.
	List func(ctx context.Context) iter.Seq2[string, error]
	// Search yields the names of the children that a query finds; nil if that
	// is not offered.
	Search func(ctx context.Context, query string) iter.Seq2[string, error]
}

// Names of the methods that list and search children.
const (
	listChildren   = "list_children"
	searchChildren = "search_children"
)

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
	find := Unary(d.Kind, d.Description, func(ctx context.Context, in childParams) (*childSummary, error) {
		if strings.Contains(in.Name, ".") { // no path leads to one
			return nil, nil
		}
		child, err := d.Find(ctx, in.Name)
		if err != nil || child == nil {
			return nil, err
		}
		summary := summaryOf(child.Define())
		summary.Namespace = in.Name
		return &summary, nil
	}, withRole(role))
	return append([]Method{find}, beside...)
}

// childSummary is what a method that leads to children says of one.
type childSummary struct {
	Namespace   string `json:"namespace"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

func summaryOf(d Definition) childSummary {
	return childSummary{Namespace: d.Namespace, Version: cmp.Or(d.Version, defaultVersion), Description: d.Description}
}

func withRole(r Role) Option { return func(m *Method) { m.schema.Role = r } }
