// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"fmt"
	"iter"
	"log/slog"

	"github.com/plexus-go/plexus/internal/callscope"
	"github.com/plexus-go/plexus/plugin"
)

// Value finds the run itself, as the scope of its method.
func (r *run) Value(key any) any {
	if _, ok := key.(callscope.Key); ok {
		return r
	}
	return r.Context.Value(key)
}

func (r *run) Path() string { return r.route.path }

func (r *run) Template() string { return r.route.template }

func (r *run) Logger() *slog.Logger {
	caller := plugin.CallerOf(r.Context)
	attributes := []any{"method", r.route.path}
	if caller.Name != "" {
		attributes = append(attributes, "caller", caller.Name)
	}
	if caller.Remote != "" {
		attributes = append(attributes, "remote", caller.Remote)
	}
	return r.route.hub.log.With(attributes...)
}

func (r *run) Progress(message string, percentage float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.item = plugin.Item{Kind: plugin.KindProgress, Message: message, Percentage: percentage}
	r.send(r.route.provenance)
}

// Call runs another method of the hub. Its questions go to the caller of this
// one.
func (r *run) Call(ctx context.Context, path string, params []byte) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		hub := r.route.hub
		call := hub.Call(path, params)
		switch {
		case r.depth >= maxNested:
			call = hub.reject(tooDeep())
		case call.route == hub.nested[callMethod]:
			call = hub.reject(plugin.Errorf(plugin.CodeInvalidParams, "%s is called by its own path", callMethod))
		}
		inner := &run{Context: ctx, route: call.route, call: call, depth: r.depth + 1, above: r}
		inner.yield = func(item *plugin.Item) bool {
			switch item.Kind {
			case plugin.KindData:
				return yield(item.Content, nil)
			case plugin.KindError:
				return yield(nil, item.Err())
			}
			return true
		}
		inner.serve()
	}
}

func tooDeep() error {
	return plugin.InvalidParams(fmt.Sprintf("calls are nested deeper than %d", maxNested))
}

// Resolve asks the activation that owns the handle. It counts as a call of it.
func (r *run) Resolve(ctx context.Context, handle plugin.Handle) (value any, err error) {
	hub := r.route.hub
	m := hub.table.Load().owners[handle.PluginID]
	inner := &run{}
	inner.Context, inner.cancel = context.WithCancelCause(ctx)
	defer inner.leave()
	if m == nil || !m.lifecycle.enter(inner) {
		return nil, &plugin.Error{Message: plugin.ErrNoHandle.Error() + ": " + shown(handle.String()), Err: plugin.ErrNoHandle}
	}
	inner.admitted, inner.route = true, &Route{hub: hub, lifecycle: m.lifecycle, path: m.path + " handle"}
	err = inner.guard(func() (err error) {
		value, err = m.tree.Definition.Resolve(inner, handle)
		return err
	})
	return value, err
}
