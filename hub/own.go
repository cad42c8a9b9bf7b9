// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/plexus-go/plexus/plugin"
)

const (
	// nestedNamespace is what clients know every hub's own methods by when
	// they reach them through call.
	nestedNamespace = "plexus"

	callMethod      = "call"
	hashesMethod    = "hashes"
	hashDescription = "Get plexus configuration hash (from the recursive schema)\n\n This hash changes whenever any method or child plugin changes.\n It's computed from the method hashes rolled up through the schema tree."

	// maxNested bounds how deep calls of call may be nested: each level
	// wraps every item of the ones below.
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

// callBinder and respondBinder decode the parameters of the two methods that
// every hub answers itself.
var (
	callBinder    = binder[callParams](callMethod)
	respondBinder = binder[respondParams]("respond")
)

// binder makes a method for the sake of its parameters.
func binder[In any](name string) plugin.Method {
	return plugin.Unary(name, "", func(context.Context, In) (plugin.None, error) { return plugin.None{}, nil })
}

// bindStruct decodes the parameters of such a method, whose type errors call by
// that name.
func bindStruct[In any](name string, binder plugin.Method, params []byte) (*In, error) {
	if len(params) == 0 || string(params) == "null" {
		return nil, plugin.InvalidParams("invalid type: null, expected struct " + name + " at line 1 column 4")
	}
	in, err := binder.Bind(params, true)
	if err != nil {
		return nil, err
	}
	return in.(*In), nil
}

// infoContent is the content of _info.
type infoContent struct {
	Backend          string           `json:"backend"`
	AuthCapabilities authCapabilities `json:"auth_capabilities"`
}

type authCapabilities struct {
	Mechanisms []mechanism `json:"mechanisms"`
}

type mechanism struct {
	Kind string `json:"kind"`
}

func (h *Hub) infoRoute() *Route {
	content := encoded(infoContent{
		Backend:          h.namespace,
		AuthCapabilities: authCapabilities{Mechanisms: h.mechanisms},
	})
	return &Route{
		hub:         h,
		path:        "_info",
		provenance:  []string{},
		contentType: "_info",
		method: plugin.Unary("info", "Tell the hub's name", func(context.Context, plugin.None) (any, error) {
			return content, nil
		}, plugin.Quick()),
	}
}

// hashes is the content of the hub's hashes.
type hashes struct {
	_            struct{}      `title:"PluginHashes" description:"Lightweight hash information for cache validation"`
	Namespace    string        `json:"namespace"`
	SelfHash     string        `json:"self_hash"`
	ChildrenHash string        `json:"children_hash,omitempty"`
	Hash         string        `json:"hash"`
	Children     []ChildHashes `json:"children,omitempty" description:"Child plugin hashes (for recursive checking)"`
}

// ChildHashes is what a hub's hashes tell of each activation.
type ChildHashes struct {
	_         struct{} `description:"Hash information for a child plugin"`
	Namespace string   `json:"namespace"`
	Hash      string   `json:"hash"`
}

// hashesOf tells the hashes of a schema.
func hashesOf(s plugin.Schema) hashes {
	told := hashes{Namespace: s.Namespace, SelfHash: s.SelfHash, ChildrenHash: s.ChildrenHash, Hash: s.Hash}
	for _, c := range s.Children {
		told.Children = append(told.Children, ChildHashes{Namespace: c.Namespace, Hash: c.Hash})
	}
	return told
}

// ownMethods are the hub's methods but for schema, in the order in which its
// schema shows them.
func (h *Hub) ownMethods() []plugin.Method {
	return []plugin.Method{
		plugin.Stream(callMethod, "Route a call to a registered activation", h.call, plugin.Returns[streamItem]()),
		hashRoute(h.Hash),
		plugin.Unary(hashesMethod, "Get plugin hashes for cache validation",
			func(context.Context, plugin.None) (hashes, error) { return hashesOf(h.Schema()), nil }),
	}
}

// ownRoutes makes the routes of the hub's own methods, as they are known under
// the name namespace.
func (h *Hub) ownRoutes(methods []plugin.Method, namespace string, provenance []string) map[string]*Route {
	routes := map[string]*Route{}
	for _, method := range methods {
		routes[method.Name()] = &Route{
			hub:         h,
			method:      method,
			path:        h.namespace + "." + method.Name(),
			provenance:  provenance,
			contentType: namespace + "." + method.Name(),
		}
	}
	return routes
}

// call is the hub's call, called through itself: its contents are the items
// of the inner stream.
func (h *Hub) call(ctx context.Context, in callParams) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		parent, _ := ctx.Value(plugin.ScopeKey).(*run)
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
