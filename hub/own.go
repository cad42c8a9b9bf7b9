// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"encoding/json"
	"iter"
	"slices"

	"github.com/plexus-go/plexus/internal/callscope"
	"github.com/plexus-go/plexus/plugin"
)

const (
	// nestedNamespace is the name of every hub's own methods for clients that
	// call them through call.
	nestedNamespace = "plexus"

	callMethod = "call"

	// maxNested bounds how deep calls may be nested: each level of call wraps
	// every item of the ones below.
	maxNested = 8
)

// callParams are the parameters of a hub's call.
type callParams struct {
	Method string          `json:"method" description:"The method to call (format: namespace.method)"`
	Params json.RawMessage `json:"params,omitzero" description:"Parameters to pass to the method (optional, defaults to {})"`
}

// respondParams are the parameters of a hub's respond.
type respondParams struct {
	RequestID    string          `json:"request_id" description:"The id of the request to answer"`
	ResponseData json.RawMessage `json:"response_data,omitzero" description:"The answer"`
}

// respondBinder decodes the parameters of respond. It is never run.
var respondBinder = plugin.Unary("respond", "", func(context.Context, respondParams) (plugin.None, error) { return plugin.None{}, nil })

// bindOwn decodes the parameters of a method that the hub answers itself;
// errors call their type by that name.
func bindOwn(method plugin.Method, name string, params []byte) (any, error) {
	if len(params) == 0 || string(params) == "null" {
		return nil, plugin.InvalidParams("invalid type: null, expected struct " + name + " at line 1 column 4")
	}
	return method.Bind(params, true)
}

func (h *Hub) infoRoute(mechanisms []string) *Route {
	type mechanism struct {
		Kind   string `json:"kind"`
		Header string `json:"header,omitempty"`
	}
	var info struct {
		Backend string `json:"backend"`
		Auth    struct {
			Mechanisms []mechanism `json:"mechanisms"`
		} `json:"auth_capabilities"`
	}
	info.Backend = h.namespace
	info.Auth.Mechanisms = []mechanism{}
	for _, m := range []mechanism{{Kind: "anonymous"}, {Kind: "bearer", Header: "authorization"}} {
		if slices.Contains(mechanisms, m.Kind) {
			info.Auth.Mechanisms = append(info.Auth.Mechanisms, m)
		}
	}
	content := encoded(info)
	return h.newRoute(plugin.Unary("info", "Tell the hub's name", func(context.Context, plugin.None) (any, error) {
		return content, nil
	}, plugin.Quick()), []string{}, "_info", "_info")
}

// hashesMethod answers with the hashes of the hub's schema.
func (h *Hub) hashesMethod() plugin.Method {
	type ChildHashes struct { // a name in the schema
		_         struct{} `description:"Hash information for a child plugin"`
		Namespace string   `json:"namespace"`
		Hash      string   `json:"hash"`
	}
	type hashes struct {
		_            struct{}      `title:"PluginHashes" description:"Lightweight hash information for cache validation"`
		Namespace    string        `json:"namespace"`
		SelfHash     string        `json:"self_hash"`
		ChildrenHash string        `json:"children_hash,omitempty"`
		Hash         string        `json:"hash"`
		Children     []ChildHashes `json:"children,omitempty" description:"Child plugin hashes (for recursive checking)"`
	}
	return plugin.Unary("hashes", "Get plugin hashes for cache validation", func(context.Context, plugin.None) (hashes, error) {
		s := h.Schema()
		out := hashes{Namespace: s.Namespace, SelfHash: s.SelfHash, ChildrenHash: s.ChildrenHash, Hash: s.Hash}
		for _, c := range s.Children {
			out.Children = append(out.Children, ChildHashes{Namespace: c.Namespace, Hash: c.Hash})
		}
		return out, nil
	})
}

// ownMethods are the hub's methods but for schema, in the order in which its
// schema shows them.
func (h *Hub) ownMethods() []plugin.Method {
	return []plugin.Method{
		plugin.Stream(callMethod, "Route a call to a registered activation", h.call, returnsItems()),
		hashMethodOf(h.Hash),
		h.hashesMethod(),
	}
}

// ownRoutes makes the routes of the hub's own methods, as they are known under
// the name namespace.
func (h *Hub) ownRoutes(methods []plugin.Method, namespace string, provenance []string) map[string]*Route {
	routes := map[string]*Route{}
	for _, method := range methods {
		name := method.Name()
		routes[name] = h.newRoute(method, provenance, h.namespace+"."+name, namespace+"."+name)
	}
	return routes
}

// call is the hub's call, called through itself: its contents are the items
// of the inner stream.
func (h *Hub) call(ctx context.Context, in callParams) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		parent, _ := ctx.Value(callscope.Key{}).(*run)
		if parent != nil && parent.depth >= maxNested {
			yield(nil, tooDeep())
			return
		}
		for item := range h.Call(in.Method, in.Params).under(ctx, parent) {
			if !yield(item, nil) {
				return
			}
		}
	}
}
