// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"strings"

	"github.com/plexus-go/plexus/hub"
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
	// Route leads to the method of a Subscribe. Through the hub's call, whatever
	// is wrong with the inner call is an item of its stream.
	Route *hub.Route
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
	if t.Action != Unknown && !(t.Route != nil && t.Route.Dynamic()) {
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
		return subscribe(notifyResult, h.Info())
	case !dotted:
		return direct(h, name)
	case namespace != h.Namespace() || method == "call":
		return subscribe(name, h.Find(namespace, method))
	case method == "respond":
		return Target{Action: Respond}
	default:
		return subscribe(notifyResult, h.Find(namespace, method))
	}
}

func subscribe(notify string, route *hub.Route) Target {
	if route == nil {
		return Target{}
	}
	return Target{Action: Subscribe, Notify: notify, Route: route}
}

// direct finds namespace_method. Both may contain underscores, so every place
// to divide the name is tried.
func direct(h *hub.Hub, name string) Target {
	for i := 0; i < len(name); i++ {
		if name[i] != '_' {
			continue
		}
		if route := declared(h, name[:i], name[i+1:]); route != nil {
			return subscribe(name, route)
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
