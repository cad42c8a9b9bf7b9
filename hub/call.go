// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"fmt"
	"iter"

	"github.com/plexus-go/plexus/plugin"
)

// Route is a method and where it is mounted.
type Route struct {
	hub         *Hub
	method      plugin.Method
	life        *life    // of the activation; nil for the hub's own methods
	path        string   // where it is called
	provenance  []string // of its items
	contentType string

	// below is the activation among whose dynamic children the rest of the
	// path leads to the method, which is found when the call runs; nil for a
	// route that is known.
	below *mount
	rest  string
}

// Sought tells that the method is looked for among dynamic children when it is
// called: it may turn out that there is none such.
func (r *Route) Sought() bool { return r.below != nil }

// Call is a method with parameters that were accepted, ready to run.
type Call struct {
	route  *Route
	params any
	err    error // why it was refused; then the one item of the stream

	// What a route is bound with once it is known.
	raw        []byte
	positional bool
}

// Bind decodes and checks the parameters of a call: see plugin.Method.Bind. A
// panic of the activation's own checks is an error here. The parameters of a
// dynamic child are looked at when the call runs.
func (r *Route) Bind(params []byte, positional bool) (call Call, err error) {
	if r.below != nil {
		return Call{route: r, raw: params, positional: positional}, nil
	}
	defer func() {
		if cause := recover(); cause != nil {
			ctx := &run{Context: context.Background(), route: r}
			call, err = Call{}, plugin.Panicked(ctx, cause)
		}
	}()
	in, err := r.method.Bind(params, positional)
	if err != nil {
		return Call{}, err
	}
	return Call{route: r, params: in}, nil
}

// Quick tells that the call never waits: see plugin.Quick.
func (c Call) Quick() bool {
	return c.err != nil || c.route.method.IsQuick()
}

// Refuse makes a call whose only item is err.
func (h *Hub) Refuse(err error) Call {
	return Call{route: &Route{hub: h, path: h.namespace, provenance: h.own}, err: err}
}

// Items runs the call, for the caller that plugin.WithCaller has put into ctx.
// The sequence may be ranged over once. Who ranges may be asked: a Request is
// answered by [Hub.Respond], from another goroutine.
func (c Call) Items(ctx context.Context) iter.Seq[*plugin.Item] { return c.under(ctx, nil) }

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

func notFound(format string, args ...any) *plugin.Error {
	return &plugin.Error{Code: plugin.CodeMethodNotFound, Message: fmt.Sprintf(format, args...)}
}
