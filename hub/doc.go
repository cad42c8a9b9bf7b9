// SPDX-License-Identifier: AGPL-3.0-only

// Package hub hosts activations under namespaces and routes calls to them.
//
// A [Hub] is built empty; [Hub.Register] says what is there. It serves itself
// too: its schema, its hashes, and call, which reaches everything else by a
// dotted path.
//
// An activation is started when it is registered, with its children, and closed
// when it is unregistered, after its calls have ended: see [Hub.Unregister].
// Fixed children are routed like methods of their parent; those that are found
// at run time are looked for when the call runs.
//
// The hub knows no wire. A way in asks it for a [Call] and ranges over the
// call's [plugin.Item] values, each stamped with metadata: the namespaces that it
// passed, the hub's hash, and the time. Whatever happens, a call's items end
// with exactly one [Done], or with an [Error] that is not recoverable.
// A method that asks its caller sends a [Request], which [Hub.Respond] answers.
//
// Lookups read an immutable table, which a registration replaces as a whole:
// finding a method takes no lock, whatever the number of activations.
package hub
