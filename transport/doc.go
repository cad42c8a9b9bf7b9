// SPDX-License-Identifier: AGPL-3.0-only

// Package transport serves a hub on a listener: it owns the HTTP server, mounts
// the ways in (today WebSocket, package websocket), and stops gracefully. With
// [WithRegistration], it keeps the hub registered meanwhile.
//
// The names and texts of the protocol are in package wire.
package transport
