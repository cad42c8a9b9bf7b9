// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/plugin"
)

// mount is an activation in its place: its schema, and a route for every
// method that it has or that the hub serves on its behalf.
type mount struct {
	hub        *Hub
	lifecycle  *lifecycle
	tree       *plugin.Tree
	path       string   // "solar.earth"
	provenance []string // {"solar", "earth"}
	schema     plugin.Schema
	id         uuid.UUID // of its handles
	// routes by what follows the path: "get", "schema", "get.schema", and
	// those of the fixed children: "luna.info".
	routes   map[string]*Route
	children map[string]*mount
}

// raw is JSON that was written once, to be sent as it is.
type raw []byte

func (r raw) AppendJSON(dst []byte) ([]byte, error) { return append(dst, r...), nil }

func encoded(v any) raw {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("hub: %v", err)) // schemas and hashes always encode
	}
	return text
}

// schemaParams are the parameters of every schema method.
type schemaParams struct {
	Method *string `json:"method" description:"Only this method's schema"`
}

// hashEvent is what every hash method answers with.
type hashEvent struct {
	plugin.Union `discriminator:"event" title:"HashEvent"`
	Hash         *hashValue `tag:"hash"`
}

type hashValue struct {
	Value string `json:"value"`
}

// The methods that a hub serves on behalf of every activation, and their
// descriptions.
const (
	schemaMethod      = "schema"
	hashMethod        = "hash"
	schemaDescription = `Get plugin or method schema. Pass {"method": "name"} for a specific method.`
)

// schemaRoute serves a schema, the whole of it and that of each method, which
// errors name after the prefix.
func schemaRoute(methods []plugin.MethodSchema, whole func() raw, prefix string) plugin.Method {
	each := map[string]raw{}
	for _, m := range methods {
		each[m.Name] = encoded(m)
	}
	return plugin.Unary(schemaMethod, schemaDescription, func(_ context.Context, in schemaParams) (any, error) {
		if in.Method == nil {
			return whole(), nil
		}
		if text, ok := each[*in.Method]; ok {
			return text, nil
		}
		return nil, notFound("Method not found: %s.%s", prefix, shown(*in.Method))
	}, plugin.Quick())
}

// newMount makes the routes of an activation and its fixed children, below the
// namespaces that lead to it.
func newMount(h *Hub, life *lifecycle, tree *plugin.Tree, above []string) *mount {
	d := tree.Definition
	m := &mount{
		hub:        h,
		lifecycle:  life,
		tree:       tree,
		provenance: append(slices.Clip(above), d.Namespace),
		schema: plugin.Schema{
			Namespace:       d.Namespace,
			Version:         d.Version,
			Description:     d.Description,
			LongDescription: d.LongDescription,
		},
		id:       plugin.ID(d.Namespace, d.Version),
		routes:   map[string]*Route{},
		children: map[string]*mount{},
	}
	m.path = strings.Join(m.provenance, ".")
	for _, t := range tree.Children {
		child := newMount(h, life, t, m.provenance)
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
	m.schema.Methods = append(m.schema.Methods, listedSchema)
	m.schema.Seal()

	whole := encoded(m.schema)
	m.add(schemaMethod, schemaMethod, schemaRoute(m.schema.Methods, func() raw { return whole }, m.path))
	m.add(hashMethod, hashMethod, hashRoute(func() string { return m.schema.Hash }))
	for _, s := range m.schema.Methods {
		text := encoded(s)
		name := s.Name + ".schema"
		if m.routes[name] != nil {
			continue // a child's own
		}
		m.add(name, "method_schema", plugin.Unary(schemaMethod, schemaDescription,
			func(context.Context, plugin.None) (any, error) { return text, nil }, plugin.Quick()))
	}
	return m
}

func (m *mount) add(name, contentType string, method plugin.Method) {
	m.routes[name] = &Route{
		hub:         m.hub,
		method:      method,
		lifecycle:   m.lifecycle,
		path:        m.path + "." + name,
		provenance:  m.provenance,
		contentType: m.path + "." + contentType,
	}
}

// summary is what the schema of the parent tells of m.
func (m *mount) summary() plugin.ChildSchema {
	return plugin.ChildSchema{Namespace: m.schema.Namespace, Description: m.schema.Description, Hash: m.schema.Hash}
}

func hashRoute(hash func() string) plugin.Method {
	return plugin.Unary(hashMethod, hashDescription, func(context.Context, plugin.None) (hashEvent, error) {
		return hashEvent{Hash: &hashValue{Value: hash()}}, nil
	}, plugin.Quick())
}

// listedSchema is how the schema method appears in schemas: without
// parameters, as clients that build a command from them expect.
var listedSchema = plugin.Unary(schemaMethod, schemaDescription,
	func(context.Context, plugin.None) (any, error) { return nil, nil }).Schema()
