// SPDX-License-Identifier: AGPL-3.0-only

// Package websocket serves a hub to clients that connect over WebSocket.
//
//	ws := websocket.NewServer(h, websocket.Limits{}, slog.Default())
//	http.Handle("/", ws)
//
// Package transport puts access control and TLS before it; use that one unless
// something else does this.
//
// # The way of a call
//
// Each connection is a session of two goroutines, a reader and a writer.
//
//	reader.go    a message is read, in its time and within the memory limit,
//	             and parsed into requests (package wire)
//	rate.go      the client makes too many calls per second: wait
//	dispatch.go  each request is resolved and bound (packages wire and hub)
//	calls.go     a call is admitted: not too many are in flight
//	             a goroutine runs it and ranges over its items
//	queue.go     each item is encoded into the send queue, once there is room
//	writer.go    the writer takes all that is queued and writes it at once
//	             (package socket)
//
// A call of a method that never waits (plugin.Quick) is run by the reader, and
// written by it too where nobody else writes: one client gets nearly twice as
// many answers per second.
//
// A client that leaves ends its streams, but not a write that it asked for:
// whatever was read before it left is run. session.go has the life of a
// connection, server.go what all have in common, limits.go the limits.
//
// # Memory
//
// What one client can make the server hold is limited twice.
//
// Per connection: the send queue has a limit in bytes and frames. A call whose
// client reads slowly waits before its next item is encoded, and a client whose
// queue is full is not read from. A client that reads nothing is stalled and
// closed. A message has a maximum size and a deadline.
//
// For all connections together (memory.go), since many clients may each stay
// within their own limits: one limit for send queues, one for messages that are
// being read. The first 16 KiB of each connection do not count, so small items and
// messages never wait. An item larger than a queue is granted memory before it is
// encoded, and a larger message before the rest of it is read. Claims are granted
// in order, and refused after StallTimeout. While a claim waits, clients that hold
// memory and neither read nor send are closed sooner. While the limit is used up,
// send queues are limited to 16 KiB.
//
// Measured on two cores: 100 clients that ask for 29 MB each and read nothing
// take 60 MiB, and another client's quick calls take 0.3 ms (p99) meanwhile.
package websocket
