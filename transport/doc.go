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
// bounded time for its TLS handshake ([WithTLS]) and for one request. Of the
// request, access control checks in this order: the rate of the client's address
// (ratelimiter.go; behind a proxy, [WithTrustedProxies] finds the address), the
// Host ([WithAllowedHosts]), the origin of the web page ([WithAllowedOrigins]), and
// the credentials ([WithAuthentication], [WithAnonymous]; package auth has
// implementations). The result is the plugin.Caller of all calls of the
// connection. [Stats] count what was refused.
//
// By default, access control suits a hub that only its own machine reaches: that
// machine's programs and pages may do everything; other pages, and callers behind a
// proxy, nothing. A listener that other machines reach needs TLS and
// authentication, or [WithInsecure]: see [CheckExposure].
package transport
