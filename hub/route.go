// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/plexus-go/plexus/plugin"
)

// Route is a method and where it is mounted.
type Route struct {
	hub         *Hub
	method      plugin.Method
	streaming   bool       // plugin.Stream made the method
	lifecycle   *lifecycle // of the activation; nil for the hub's own methods
	path        string     // where it is called
	template    string     // the path, with the kind in place of the name of each dynamic child
	provenance  []string   // of its items
	contentType string

	// below is the activation among whose dynamic children the rest of the
	// path leads to the method, which is found when the call runs; nil for a
	// route that is known.
	below *mount
	rest  string
}

func (h *Hub) newRoute(method plugin.Method, provenance []string, path, contentType string) *Route {
	streaming := method.Schema().Streaming
	return &Route{hub: h, method: method, streaming: streaming, path: path, template: path, provenance: provenance, contentType: contentType}
}

// Info returns the route of _info.
func (h *Hub) Info() *Route { return h.info.Load() }

// Find returns the route of a method; nil if there is none. The namespace is
// that of an activation, or the hub's own for call, schema, hash and hashes. The
// method may be that of a child: Find("solar", "earth.luna.info").
func (h *Hub) Find(namespace, method string) *Route {
	if namespace == h.namespace {
		return h.root[method]
	}
	if m := h.table.Load().mounts[namespace]; m != nil {
		return m.find(method)
	}
	return nil
}

// Dynamic reports whether the method is looked for among dynamic children when
// it is called: there may be no such method.
func (r *Route) Dynamic() bool { return r.below != nil }

// Bind decodes and checks the parameters of a call, which may be given by
// position: see plugin.Method.Bind. A panic of the activation's own checks is
// an error here. With an error, the call is for [Call.Observe]. Two kinds of routes fail later: the parameters of a dynamic
// child are checked when the call runs, and what is wrong with the call that
// the hub's own call names is said in its stream.
func (r *Route) Bind(params []byte) (Call, error) {
	if r == r.hub.root[callMethod] {
		in, err := bindOwn(r.method, "CallParams", params)
		if err != nil {
			return Call{}, err
		}
		named := in.(*callParams)
		return r.hub.Call(named.Method, named.Params), nil
	}
	return r.bind(params, true)
}

func (r *Route) bind(params []byte, positional bool) (call Call, err error) {
	if r.below != nil {
		return Call{route: r, raw: params, positional: positional}, nil
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = (&run{Context: context.Background(), route: r}).panicked(cause)
			call = Call{route: r, params: err}
		}
	}()
	in, err := r.method.Bind(params, positional)
	if err != nil {
		return Call{route: r, params: err}, err
	}
	return Call{route: r, params: in}, nil
}

// Call is a method with parameters that were accepted, ready to run.
type Call struct {
	route  *Route
	params any   // or the error for which they were refused
	err    error // why it was rejected; then the one item of the stream

	// What a dynamic route is bound with once it is known.
	raw        []byte
	positional bool
}

// Call routes a dotted path, "registry.get" or "registry-hub.registry.get",
// and binds its parameters. A call that is rejected can run, too: its one item
// says why, and if that is its parameters, its middlewares see it.
func (h *Hub) Call(path string, params []byte) Call {
	route, err := h.route(path)
	if err != nil {
		return h.reject(err)
	}
	call, _ := route.bind(params, false)
	return call
}

// Quick reports whether the call never waits: see plugin.Quick.
func (c Call) Quick() bool { return c.err != nil || c.route.method.IsQuick() }

// Items runs the call, for the caller that plugin.WithCaller has put into ctx.
// The sequence may be ranged over once; an item is valid until the next. A
// question to whoever ranges is answered by [Hub.Respond], from another
// goroutine.
func (c Call) Items(ctx context.Context) iter.Seq[*plugin.Item] { return c.under(ctx, nil) }

// Observe lets the middlewares see a call that Bind has refused, and the transport
// answered. They run on the caller's goroutine.
func (c Call) Observe(ctx context.Context) {
	if c.route == nil { // of the hub's own call
		return
	}
	for range c.Items(ctx) {
		break
	}
}

// under is Items within the call that is parent.
func (c Call) under(ctx context.Context, parent *run) iter.Seq[*plugin.Item] {
	r := &run{Context: ctx, route: c.route, call: c}
	if parent != nil {
		r.depth = parent.depth + 1
	}
	return func(yield func(*plugin.Item) bool) {
		r.yield = yield
		r.serve()
	}
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

// reject makes a call whose only item is err.
func (h *Hub) reject(err error) Call {
	return Call{route: &Route{hub: h, path: h.namespace, provenance: h.own}, err: err}
}

func notFound(format string, args ...any) *plugin.Error {
	return &plugin.Error{Code: plugin.CodeMethodNotFound, Message: fmt.Sprintf(format, args...)}
}

// shown shortens what a caller sent, so that an error stays readable.
func shown(s string) string {
	const limit = 256
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
