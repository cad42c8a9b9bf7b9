// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// Hub hosts activations. Make it with [New]; all its methods may be called at
// once by any number of goroutines.
type Hub struct {
	namespace   string
	version     string
	description string
	log         *slog.Logger
	own         []string // the provenance of what the hub itself rejects
	methods     []plugin.MethodSchema

	// The hub's own methods.
	root   map[string]*Route // called directly
	nested map[string]*Route // called through call
	info   atomic.Pointer[Route]

	middleware []plugin.Middleware
	drain      time.Duration
	questions  sync.Map // of *question by id

	changing sync.Mutex // held while the table is replaced
	table    atomic.Pointer[table]
	starting map[string]bool // namespaces that are about to be mounted
	closed   bool
}

// Option sets what New leaves at its default.
type Option func(*Hub)

// WithLogger sets where failures of methods are logged; the default is
// slog.Default.
func WithLogger(log *slog.Logger) Option { return func(h *Hub) { h.log = log } }

// WithVersion sets the version in the hub's schema; the default is
// "1.0.0".
func WithVersion(version string) Option { return func(h *Hub) { h.version = version } }

// WithDescription sets what the hub's schema says it is for.
func WithDescription(description string) Option {
	return func(h *Hub) { h.description = description }
}

// WithMiddleware puts middlewares around every method of every activation, of
// which the first is the outermost.
func WithMiddleware(wraps ...plugin.Middleware) Option {
	return func(h *Hub) { h.middleware = append(h.middleware, wraps...) }
}

// WithDrain sets how long Unregister and Close wait for running calls to end
// before they cancel them; the default is 5 seconds.
func WithDrain(limit time.Duration) Option { return func(h *Hub) { h.drain = limit } }

// New makes a hub without activations. The namespace is its name, which
// clients learn by _info and call it by: see plugin.ValidateName.
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
		drain:       5 * time.Second,
		starting:    map[string]bool{},
	}
	h.SetMechanisms("anonymous")
	for _, option := range options {
		option(h)
	}
	own := h.ownMethods()
	for _, m := range own {
		h.methods = append(h.methods, m.Schema())
	}
	h.methods = append(h.methods, schemaTemplate.Schema())
	own = append(own, schemaMethodOf(h.methods, func() raw { return h.table.Load().text }, nestedNamespace))
	h.root = h.ownRoutes(own, namespace, h.own)
	h.nested = h.ownRoutes(own, nestedNamespace, []string{nestedNamespace})
	h.replace(map[string]*mount{})
	return h, nil
}

// Namespace returns the hub's name.
func (h *Hub) Namespace() string { return h.namespace }

// SetMechanisms sets the mechanisms of authentication that _info lists:
// "anonymous", which alone is the default, and "bearer", a token in the header
// Authorization. Others are left out: clients drop an _info with a mechanism
// that they don't know. Servers that authenticate callers call it.
func (h *Hub) SetMechanisms(kinds ...string) { h.info.Store(h.infoRoute(kinds)) }

// Hash returns the hash of the hub's schema, which changes with every schema
// below it.
func (h *Hub) Hash() string { return h.table.Load().schema.Hash }

// Schema returns what the hub says of itself. It is shared: don't change what
// it points to.
func (h *Hub) Schema() plugin.Schema { return h.table.Load().schema }
