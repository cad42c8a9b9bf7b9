// SPDX-License-Identifier: AGPL-3.0-only

// Package websocket serves a hub to clients that connect over WebSocket.
//
// Each connection is a session. Its reader parses frames (package wire) and
// starts a goroutine for every call, up to a bound; its writer gathers what
// the calls answer into few writes to the socket. A call of a method that never
// waits (plugin.Quick) is run by the reader, and written by it too where the
// writer is idle: that nearly doubles what one client gets. Between them stands the
// outbox, which is bounded in frames and bytes: a call whose client reads
// slowly waits there, before its next item is even encoded, so a client that
// never reads costs little, disturbs nobody, and is closed with code 1008.
//
// What all connections hold together has a bound as well (budget): an item
// larger than a queue is not encoded, and a large message not read on, before
// it is its turn. Small ones never wait for that, so a hub that is held up by
// some still answers the others. A client that calls too often is read from
// more slowly (pace); one whose message does not come to its end is closed.
//
// A client that leaves ends its streams, but not a write that it asked for:
// whatever was read before it left is run.
package websocket
