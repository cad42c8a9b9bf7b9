// SPDX-License-Identifier: AGPL-3.0-only

// Package hub hosts activations under namespaces and routes calls to them.
//
//	h, err := hub.New("my-hub")
//	err = h.Register(greeter) // a plugin.Activation
//	for item := range h.Call("greeter.greet", []byte(`{"name":"Ada"}`)).Items(ctx) {
//		fmt.Println(item.Kind, item.Content)
//	}
//	err = h.Close()
//
// A hub serves itself too: its schema, its hashes, and call, which reaches
// everything else by a dotted path.
//
// An activation is started when it is registered, with its children, and closed
// when it is unregistered, after its calls have ended: see [Hub.Unregister].
// Fixed children are routed like methods of their parent; dynamic ones are
// looked for when the call runs.
//
// The hub does not know the wire format. A transport finds a method by
// [Hub.Find], binds the parameters of a call by [Route.Bind], and ranges over the
// items of the [Call], each stamped with the namespaces that it passed, the hub's
// hash, and the time. On every path, a panic of the method included, they end with exactly
// one item of [plugin.KindDone], or with one of [plugin.KindError] that is not
// recoverable. A method that asks its caller sends an item of
// [plugin.KindRequest], which [Hub.Respond] answers.
//
// The files:
//
//	hub.go            the hub and its options
//	register.go       activations come and go; the table of what is registered
//	mount.go          the routes of one activation
//	route.go          from a path to a method, and from parameters to a call
//	run.go            a call that runs: its items, its end
//	scope.go, ask.go  what a method finds in its context
//	lifecycle.go      starting, counting calls, closing
//	dynamic.go        children that are found when they are called
//	own.go, introspection.go, item_schema.go  what the hub serves itself
//
// Lookups read an immutable table, which a registration replaces as a whole:
// finding a method takes no lock, whatever the number of activations.
package hub
