// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/plexus-go/plexus/plugin"
)

// Hub hosts activations. Make it with [New]; all its methods may be called at
// once by any number of goroutines.
type Hub struct {
	namespace   string
	version     string
	description string
	log         *slog.Logger
	own         []string // the provenance of what the hub itself refuses
	methods     []plugin.MethodSchema

	// The hub's own methods, which answer with what the table says then.
	root   map[string]*Route // called directly
	nested map[string]*Route // called through call
	info   *Route

	changing sync.Mutex // held while the table is replaced
	table    atomic.Pointer[table]
}

// table is the state of a hub at one moment. It is never changed.
type table struct {
	mounts map[string]*mount // by namespace
	schema plugin.Schema
	text   raw // the schema's JSON
}

// Option sets what New leaves at its default.
type Option func(*Hub)

// WithLogger sets where failures of methods are logged; the default is
// nowhere.
func WithLogger(log *slog.Logger) Option { return func(h *Hub) { h.log = log } }

// WithVersion sets the version that the hub's schema tells; the default is
// "1.0.0".
func WithVersion(version string) Option { return func(h *Hub) { h.version = version } }

// WithDescription sets what the hub's schema says it is for.
func WithDescription(description string) Option {
	return func(h *Hub) { h.description = description }
}

// New makes a hub without activations. The namespace is its name, which
// clients learn by _info and call it by: it must satisfy plugin.ValidateName.
func New(namespace string, options ...Option) (*Hub, error) {
	if err := plugin.ValidateName(namespace); err != nil {
		return nil, fmt.Errorf("hub namespace %w", err)
	}
	h := &Hub{
		namespace:   namespace,
		version:     "1.0.0",
		description: "Central routing and introspection",
		log:         slog.New(slog.DiscardHandler),
		own:         []string{namespace},
	}
	for _, option := range options {
		option(h)
	}
	own := h.ownMethods()
	for _, m := range own {
		h.methods = append(h.methods, m.Schema())
	}
	h.methods = append(h.methods, listedSchema)
	own = append(own, schemaRoute(h.methods, func() raw { return h.table.Load().text }, nestedNamespace))
	h.root = h.ownRoutes(own, namespace, h.own)
	h.nested = h.ownRoutes(own, nestedNamespace, []string{nestedNamespace})
	h.info = h.infoRoute()
	h.replace(map[string]*mount{})
	return h, nil
}

// Namespace returns the hub's name.
func (h *Hub) Namespace() string { return h.namespace }

// Hash returns the hash over the hub's schema and all that is below it.
func (h *Hub) Hash() string { return h.table.Load().schema.Hash }

// Schema returns what the hub says of itself. It is shared: don't change what
// it points to.
func (h *Hub) Schema() plugin.Schema { return h.table.Load().schema }

// Register mounts an activation under its namespace. It is refused if its
// definition is malformed, or if the namespace is taken or the hub's own;
// then the hub is as it was.
func (h *Hub) Register(a plugin.Activation) error {
	d := a.Define()
	if err := d.Validate(); err != nil {
		return fmt.Errorf("hub %s: register: %w", h.namespace, err)
	}
	if d.Namespace == h.namespace {
		return fmt.Errorf("hub %s: register: namespace %q is the hub's own", h.namespace, d.Namespace)
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	mounts := h.table.Load().mounts
	if mounts[d.Namespace] != nil {
		return fmt.Errorf("hub %s: register: namespace %q is taken", h.namespace, d.Namespace)
	}
	mounts = maps.Clone(mounts)
	mounts[d.Namespace] = newMount(h, d)
	h.replace(mounts)
	return nil
}

// Unregister removes the activation of that namespace; calls that run go on
// to their end. It fails if there is none.
func (h *Hub) Unregister(namespace string) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	mounts := h.table.Load().mounts
	if mounts[namespace] == nil {
		return fmt.Errorf("hub %s: unregister: no activation %q", h.namespace, namespace)
	}
	mounts = maps.Clone(mounts)
	delete(mounts, namespace)
	h.replace(mounts)
	return nil
}

// replace makes and publishes the table for mounts.
func (h *Hub) replace(mounts map[string]*mount) {
	t := &table{mounts: mounts, schema: plugin.Schema{
		Namespace: h.namespace, Version: h.version, Description: h.description, Methods: h.methods,
	}}
	for _, namespace := range slices.Sorted(maps.Keys(mounts)) {
		s := mounts[namespace].schema
		t.schema.Children = append(t.schema.Children, plugin.ChildSchema{
			Namespace: s.Namespace, Description: s.Description, Hash: s.Hash,
		})
	}
	t.schema.Seal()
	t.text = encoded(t.schema)
	h.table.Store(t)
}

// Info returns the route of _info.
func (h *Hub) Info() *Route { return h.info }

// Own returns the route of one of the hub's own methods (schema, hash,
// hashes), called directly; nil if there is none such.
func (h *Hub) Own(method string) *Route {
	if method == callMethod {
		return nil
	}
	return h.root[method]
}

// Find returns the route of an activation's method, nil if there is none:
// Find("registry", "get").
func (h *Hub) Find(namespace, method string) *Route {
	m := h.table.Load().mounts[namespace]
	if m == nil {
		return nil
	}
	return m.routes[method]
}

// FindDeclared is Find without what the hub serves on the activation's
// behalf, such as its schema.
func (h *Hub) FindDeclared(namespace, method string) *Route {
	if method == schemaMethod || method == hashMethod || strings.Contains(method, ".") {
		return nil
	}
	return h.Find(namespace, method)
}

// Call routes a dotted path, "registry.get" or "registry-hub.registry.get",
// and binds its parameters. What is refused is a call too: its one item says
// why.
func (h *Hub) Call(path string, params []byte) Call {
	route, err := h.route(path)
	if err != nil {
		return h.Refuse(err)
	}
	call, err := route.Bind(params, false)
	if err != nil {
		return h.Refuse(err)
	}
	return call
}

func (h *Hub) route(path string) (*Route, error) {
	namespace, method, dotted := strings.Cut(path, ".")
	if !dotted {
		return nil, &plugin.ParamsError{Reason: "Invalid method format: " + shown(path)}
	}
	t := h.table.Load()
	if namespace == h.namespace {
		if route := h.nested[method]; route != nil {
			return route, nil
		}
		// The hub's own name before an activation's is allowed, once.
		inner, rest, deeper := strings.Cut(method, ".")
		if !deeper || t.mounts[inner] == nil {
			return nil, notFound("Method not found: %s", shown(path))
		}
		namespace, method = inner, rest
	}
	m := t.mounts[namespace]
	if m == nil {
		return nil, notFound("Activation not found: %s", shown(namespace))
	}
	if route := m.routes[method]; route != nil {
		return route, nil
	}
	return nil, notFound("Method not found: %s", shown(path))
}

// shown shortens what a caller sent, so that an error stays readable.
func shown(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
