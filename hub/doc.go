// SPDX-License-Identifier: AGPL-3.0-only

// Package hub hosts activations under namespaces and routes calls to them.
//
// A [Hub] is built empty; [Hub.Register] says what is there. It serves itself
// too: its schema, its hashes, and call, which reaches everything else by a
// dotted path.
//
// The hub knows no wire. A way in asks it for a [Call] and ranges over the
// call's [Item] values, each stamped with metadata: the namespaces that it
// passed, the hub's hash, and the time. Whatever happens, a call's items end
// with exactly one [Done], or with an [Error] that is not recoverable.
//
// Lookups read an immutable table, which a registration replaces as a whole:
// a call takes no lock, whatever the number of activations.
package hub
