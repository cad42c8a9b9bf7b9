// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"context"
	"errors"
	"strings"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
)

// Action is what a request asks of a hub.
type Action uint8

// The actions.
const (
	Unknown     Action = iota // there is no such method
	Subscribe                 // start a stream
	Unsubscribe               // end one
	Respond                   // answer a question that a method asked
)

// Target is what the name of a top-level method stands for.
type Target struct {
	Action Action
	// Notify is the method that the notifications of a stream name.
	Notify string

	hub   *hub.Hub
	route *hub.Route // of a Subscribe
}

// Separators in the names of methods.
const (
	unsubSuffix  = "_unsub"       // registry-hub.call_unsub
	unsubInfix   = "_unsubscribe" // registry_unsubscribe_get
	notifyResult = "result"       // what the hub's own methods notify as
)

// Resolve finds what a top-level method of h is:
//
//	_info                        the hub's name
//	H.call H.schema H.hash …     the methods of the hub named H
//	H.respond                    an answer to a question
//	registry_get                 an activation's method, directly
//	registry.get                 the same, as some clients spell it
//	…_unsub                      the end of any of these streams
//	registry_unsubscribe_get     the same, for an activation's method
func Resolve(h *hub.Hub, name string) Target {
	t := start(h, name)
	if t.Action != Unknown && !(t.route != nil && t.route.Dynamic()) {
		return t
	}
	// A dynamic child may have any method, so the ending decides.
	if base, ok := strings.CutSuffix(name, unsubSuffix); ok && start(h, base).Action == Subscribe {
		return Target{Action: Unsubscribe}
	}
	return t
}

func start(h *hub.Hub, name string) Target {
	namespace, method, dotted := strings.Cut(name, ".")
	switch {
	case name == InfoMethod:
		return subscribe(h, notifyResult, h.Info())
	case !dotted:
		return direct(h, name)
	case namespace != h.Namespace() || method == "call":
		return subscribe(h, name, h.Find(namespace, method))
	case method == "respond":
		return Target{Action: Respond, hub: h}
	default:
		return subscribe(h, notifyResult, h.Find(namespace, method))
	}
}

func subscribe(h *hub.Hub, notify string, route *hub.Route) Target {
	if route == nil {
		return Target{}
	}
	return Target{Action: Subscribe, Notify: notify, hub: h, route: route}
}

// direct finds namespace_method. Both may contain underscores, so every place
// to divide the name is tried.
func direct(h *hub.Hub, name string) Target {
	for i := 0; i < len(name); i++ {
		if name[i] != '_' {
			continue
		}
		if route := declared(h, name[:i], name[i+1:]); route != nil {
			return subscribe(h, name, route)
		}
		if rest, ok := strings.CutPrefix(name[i:], unsubInfix+"_"); ok && declared(h, name[:i], rest) != nil {
			return Target{Action: Unsubscribe}
		}
	}
	return Target{}
}

// declared finds what a direct name may stand for: not what the hub serves
// itself, nor what it serves on the activation's behalf, nor a child's method.
func declared(h *hub.Hub, namespace, method string) *hub.Route {
	if method == "schema" || method == "hash" || strings.Contains(method, ".") || namespace == h.Namespace() {
		return nil
	}
	return h.Find(namespace, method)
}

// Bind prepares the call that a Subscribe stands for. Through the hub's call,
// whatever is wrong with the inner call is an item of its stream; everything
// else is an error.
func (t Target) Bind(params []byte) (hub.Call, *jsonrpc2.Error) {
	call, err := t.route.Bind(params)
	if err != nil {
		return hub.Call{}, errorOf(err)
	}
	return call, nil
}

// Respond hands an answer to the method that asked, from the caller in ctx. It
// returns what was wrong with it; nil for nothing.
func (t Target) Respond(ctx context.Context, params []byte) *jsonrpc2.Error {
	if err := t.hub.Respond(ctx, params); err != nil {
		return errorOf(err)
	}
	return nil
}

// errorOf words an error of the hub as the answer to a request.
func errorOf(err error) *jsonrpc2.Error {
	var coded *plugin.Error
	switch {
	case !errors.As(err, &coded) || coded.Code == 0:
		return InternalError
	case coded.Detail() != "":
		return InvalidParams(coded.Detail())
	default:
		return NewError(coded.Code, coded.Error(), "")
	}
}
