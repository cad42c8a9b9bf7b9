// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

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

	mechanisms []mechanism
	middleware []plugin.Middleware
	drain      time.Duration
	questions  questions

	changing sync.Mutex // held while the table is replaced
	table    atomic.Pointer[table]
	starting map[string]bool // namespaces that are about to be mounted
	closed   bool
}

// table is the state of a hub at one moment. It is never changed.
type table struct {
	mounts map[string]*mount    // by namespace
	owners map[uuid.UUID]*mount // of handles
	schema plugin.Schema
	text   raw // the schema's JSON
}

// Option sets what New leaves at its default.
type Option func(*Hub)

// WithLogger sets where failures of methods are logged; the default is
// slog.Default.
func WithLogger(log *slog.Logger) Option { return func(h *Hub) { h.log = log } }

// WithVersion sets the version that the hub's schema tells; the default is
// "1.0.0".
func WithVersion(version string) Option { return func(h *Hub) { h.version = version } }

// WithDescription sets what the hub's schema says it is for.
func WithDescription(description string) Option {
	return func(h *Hub) { h.description = description }
}

// WithMiddleware puts middlewares around every method of every activation, of
// which the first is the outermost. Around all of them is plugin.Recovery.
func WithMiddleware(wraps ...plugin.Middleware) Option {
	return func(h *Hub) { h.middleware = append(h.middleware, wraps...) }
}

// WithDrain sets how long Unregister and Close wait for running calls to end
// before they cancel them; the default is 5 seconds.
func WithDrain(limit time.Duration) Option { return func(h *Hub) { h.drain = limit } }

// WithMechanisms sets how callers may tell who they are, as _info says it:
// "bearer", "cookie" and the like; the default is "anonymous" alone.
func WithMechanisms(kinds ...string) Option {
	return func(h *Hub) {
		h.mechanisms = nil
		for _, kind := range kinds {
			h.mechanisms = append(h.mechanisms, mechanism{Kind: kind})
		}
	}
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
		log:         slog.Default(),
		own:         []string{namespace},
		mechanisms:  []mechanism{{Kind: "anonymous"}},
		middleware:  []plugin.Middleware{plugin.Recovery()},
		drain:       5 * time.Second,
		questions:   questions{waiting: map[string]*question{}},
		starting:    map[string]bool{},
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

// Register starts an activation and its children, where they are
// [plugin.Starter], and mounts it under its namespace. It is refused if its
// definition is malformed, if the namespace is taken or the hub's own, or if a
// start fails; then the hub is as it was. So it is where a middleware of the
// hub panics, which goes on to who registers.
func (h *Hub) Register(a plugin.Activation) error {
	if err := h.register(a); err != nil {
		return fmt.Errorf("hub %s: register: %w", h.namespace, err)
	}
	return nil
}

func (h *Hub) register(a plugin.Activation) error {
	tree, err := plugin.TreeOf(a)
	if err != nil {
		return err
	}
	namespace := tree.Definition.Namespace
	if err := h.reserve(namespace); err != nil {
		return err
	}
	// Without the lock: a start may take its time, or register more.
	life := newLife(h, namespace)
	settled := false
	defer func() {
		if settled {
			return
		}
		// A middleware has panicked, or a start has ended its goroutine.
		defer h.mount(namespace, nil)
		if err := life.close(); err != nil {
			h.log.Error("a registration was broken off", "namespace", namespace, "error", err)
		}
	}()
	err = life.start(tree)
	var m *mount
	if err == nil {
		m = newMount(h, life, tree, nil)
	}
	settled = true
	if !h.mount(namespace, m) {
		return errors.Join(errClosed, life.close())
	}
	return err
}

// mount puts a mount in its place, which was reserved, or gives the place
// back if it is nil. It tells whether the hub is open still.
func (h *Hub) mount(namespace string, m *mount) bool {
	h.changing.Lock()
	defer h.changing.Unlock()
	delete(h.starting, namespace)
	if m == nil || h.closed {
		return m == nil
	}
	mounts := maps.Clone(h.table.Load().mounts)
	mounts[namespace] = m
	h.replace(mounts)
	return true
}

// reserve takes a namespace for an activation that is about to start.
func (h *Hub) reserve(namespace string) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	switch {
	case h.closed:
		return errClosed
	case namespace == h.namespace:
		return fmt.Errorf("namespace %q is the hub's own", namespace)
	case h.starting[namespace] || h.table.Load().mounts[namespace] != nil:
		return fmt.Errorf("namespace %q is taken", namespace)
	}
	h.starting[namespace] = true
	return nil
}

var errClosed = errors.New("the hub is closed")

// Unregister removes the activation of that namespace: no call of it begins
// any more, those that run may end, within the limit that [WithDrain] sets,
// and are cancelled then; at last the activation is closed, where it is an
// io.Closer. It fails if there is no such activation, if calls go on though
// they are cancelled, or if closing does.
func (h *Hub) Unregister(namespace string) error {
	m := h.unmount(namespace)
	if m == nil {
		return fmt.Errorf("hub %s: unregister: no activation %q", h.namespace, namespace)
	}
	if err := m.life.end(namespace, h.drain); err != nil {
		return fmt.Errorf("hub %s: unregister: %w", h.namespace, err)
	}
	return nil
}

func (h *Hub) unmount(namespace string) *mount {
	h.changing.Lock()
	defer h.changing.Unlock()
	mounts := h.table.Load().mounts
	m := mounts[namespace]
	if m != nil {
		mounts = maps.Clone(mounts)
		delete(mounts, namespace)
		h.replace(mounts)
	}
	return m
}

// Close unregisters all activations, side by side; none can be registered any
// more. It may be called again, and does nothing then.
func (h *Hub) Close() error {
	h.changing.Lock()
	h.closed = true
	mounts := h.table.Load().mounts
	h.replace(map[string]*mount{})
	h.changing.Unlock()
	failures := make(chan error, len(mounts))
	for namespace, m := range mounts {
		go func() {
			err := fmt.Errorf("close %s: %w", namespace, errExited)
			defer func() { failures <- err }()
			err = m.life.end(namespace, h.drain)
		}()
	}
	var all []error
	for range mounts {
		all = append(all, <-failures)
	}
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("hub %s: close: %w", h.namespace, err)
	}
	return nil
}

// replace makes and publishes the table for mounts.
func (h *Hub) replace(mounts map[string]*mount) {
	t := &table{mounts: mounts, owners: map[uuid.UUID]*mount{}, schema: plugin.Schema{
		Namespace: h.namespace, Version: h.version, Description: h.description, Methods: h.methods,
	}}
	for _, namespace := range slices.Sorted(maps.Keys(mounts)) {
		m := mounts[namespace]
		t.schema.Children = append(t.schema.Children, m.summary())
		t.own(m)
	}
	for _, namespace := range slices.Sorted(maps.Keys(mounts)) {
		t.ownBelow(mounts[namespace])
	}
	t.schema.Seal()
	t.text = encoded(t.schema)
	h.table.Store(t)
}

// own makes m the owner of its handles, unless there is another one with its
// namespace and version, which was found first.
func (t *table) own(m *mount) {
	if m.tree.Definition.Resolve != nil && t.owners[m.id] == nil {
		t.owners[m.id] = m
	}
}

// ownBelow does so for the fixed children of m, siblings before what is below
// them.
func (t *table) ownBelow(m *mount) {
	children := slices.Sorted(maps.Keys(m.children))
	for _, name := range children {
		t.own(m.children[name])
	}
	for _, name := range children {
		t.ownBelow(m.children[name])
	}
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
// Find("registry", "get"), Find("solar", "earth.luna.info"). Whether a child
// that is found at run time has the method turns out when it is called.
func (h *Hub) Find(namespace, method string) *Route {
	m := h.table.Load().mounts[namespace]
	if m == nil {
		return nil
	}
	return m.find(method)
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
		return nil, plugin.InvalidParams("Invalid method format: " + shown(path))
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
	if route := m.find(method); route != nil {
		return route, nil
	}
	return nil, notFound("Method not found: %s", shown(path))
}

// Resolve asks the activation that owns a handle what it stands for. The error
// wraps plugin.ErrNoHandle where there is none.
func (h *Hub) Resolve(ctx context.Context, handle plugin.Handle) (value any, err error) {
	m := h.table.Load().owners[handle.PluginID]
	r := &run{over: true}
	r.Context, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	if m == nil || !m.life.enter(r) {
		return nil, &plugin.Error{Message: plugin.ErrNoHandle.Error() + ": " + shown(handle.String()), Err: plugin.ErrNoHandle}
	}
	defer m.life.leave(r)
	r.route = &Route{hub: h, path: m.path + " handle"}
	defer func() {
		if cause := recover(); cause != nil {
			value, err = nil, plugin.Panicked(r, cause)
		}
	}()
	return m.tree.Definition.Resolve(r, handle)
}

// shown shortens what a caller sent, so that an error stays readable.
func shown(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
