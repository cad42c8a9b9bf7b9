// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/plugin"
)

// mount is an activation under its path: its schema, and a route for every
// method that it has or that the hub serves on its behalf.
type mount struct {
	hub        *Hub
	lifecycle  *lifecycle
	tree       *plugin.Tree
	path       string   // "solar.earth"
	template   string   // the path, with the kind in place of the name of each dynamic child
	provenance []string // {"solar", "earth"}
	schema     plugin.Schema
	id         uuid.UUID // of its handles
	// routes by what follows the path: "get", "schema", "get.schema", and
	// those of the fixed children: "luna.info".
	routes   map[string]*Route
	children map[string]*mount
}

// newMount makes the routes of an activation and its fixed children, below the
// namespaces that lead to it.
func newMount(h *Hub, life *lifecycle, tree *plugin.Tree, above []string, template string) *mount {
	d := tree.Definition
	m := &mount{
		hub:        h,
		lifecycle:  life,
		tree:       tree,
		template:   template,
		provenance: append(slices.Clip(above), d.Namespace),
		schema: plugin.Schema{
			Namespace:       d.Namespace,
			Version:         d.Version,
			Description:     d.Description,
			LongDescription: d.LongDescription,
		},
		id:       d.Handle("").PluginID,
		routes:   map[string]*Route{},
		children: map[string]*mount{},
	}
	m.path = strings.Join(m.provenance, ".")
	for _, t := range tree.Children {
		child := newMount(h, life, t, m.provenance, template+"."+t.Definition.Namespace)
		m.children[child.schema.Namespace] = child
		m.schema.Children = append(m.schema.Children, child.summary())
		for name, route := range child.routes {
			m.routes[child.schema.Namespace+"."+name] = route
		}
	}
	for _, method := range tree.Methods {
		m.add(method.Name(), method.Name(), method.With(h.middleware...))
		m.schema.Methods = append(m.schema.Methods, method.Schema())
	}
	m.schema.Methods = append(m.schema.Methods, schemaTemplate.Schema())
	m.schema.Seal()

	whole := encoded(m.schema)
	m.add(schemaMethod, schemaMethod, schemaMethodOf(m.schema.Methods, func() raw { return whole }, m.path))
	m.add(hashMethod, hashMethod, hashMethodOf(func() string { return m.schema.Hash }))
	for _, s := range m.schema.Methods {
		if name := s.Name + ".schema"; m.routes[name] == nil { // else a child's own
			m.add(name, "method_schema", methodSchemaOf(s))
		}
	}
	return m
}

func (m *mount) add(name, contentType string, method plugin.Method) {
	route := m.hub.newRoute(method, m.provenance, m.path+"."+name, m.path+"."+contentType)
	route.lifecycle = m.lifecycle
	if m.template != m.path {
		route.template = m.template + "." + name
	}
	m.routes[name] = route
}

// summary is what the schema of the parent says of m.
func (m *mount) summary() plugin.ChildSchema {
	return plugin.ChildSchema{Namespace: m.schema.Namespace, Description: m.schema.Description, Hash: m.schema.Hash}
}
