// SPDX-License-Identifier: AGPL-3.0-only

// Package transport serves a hub on a listener:
//
//	err := transport.ListenAndServe(ctx, "127.0.0.1:4444", h)
//
// A [Server] owns the HTTP server and the transports below (today WebSocket,
// package websocket), keeps the hub registered if asked to ([WithRegistration]),
// and stops gracefully.
//
// Every request passes access control (access.go) before it reaches a transport.
// A connection counts against the limits ([Limits], connections.go) and has a
// bounded time for its TLS handshake ([WithTLS]) and for one request. Then are
// checked, in this order: the rate of the client's address (ratelimiter.go),
// which [WithTrustedProxies] may know; its Host ([WithAllowedHosts]); the web page
// that it comes from ([WithAllowedOrigins]); and its credentials
// ([WithAuthentication], [WithAnonymous]; package auth has implementations). All
// calls of the connection have the plugin.Caller that was found. [Stats] count
// what was refused.
//
// By default, access control suits a hub that only its own machine reaches: that
// machine's programs and pages may do everything, and other pages nothing.
// [CheckExposure] returns an error where that is not enough.
package transport
