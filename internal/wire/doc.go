// SPDX-License-Identifier: AGPL-3.0-only

// Package wire is the Plexus protocol as text: JSON-RPC 2.0 envelopes, the
// names of a hub's methods, subscription ids, and the items of streams.
//
// [Parse] reads what a client sent, strictly: names are case-sensitive, no
// name may stand twice in one object, and text must be UTF-8. What is wrong
// comes back as an error of JSON-RPC, ready to be answered. The Append functions write
// what a hub answers onto the end of a buffer, so that a way in can gather
// frames without copying.
//
// Every way in uses this package, so that a hub reads and says the same
// whatever carries it.
package wire
