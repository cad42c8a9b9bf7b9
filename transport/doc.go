// SPDX-License-Identifier: AGPL-3.0-only

// Package transport serves a hub on a listener: it owns the HTTP server, mounts
// the ways in (today WebSocket, package websocket), and stops gracefully. With
// [WithRegistration], it keeps the hub registered meanwhile.
//
// Before them stands a door. A connection first finds room ([DoorLimits]) and
// has a bounded time for its TLS handshake ([WithTLS]) and one request. Then are
// looked at, in this order: how much its address asks and has, where
// [WithTrustedProxies] say whose address that is; the Host that it calls
// ([WithAllowedHosts]); the web page that it comes from ([WithAllowedOrigins]);
// and who it is ([WithAuthentication], [WithAnonymous]). Who is let in is the
// plugin.Caller of all calls of the connection. [Stats] count the rest.
//
// By default the door is made for a hub that only its own machine reaches: that
// machine's programs and pages may do everything, and pages of strangers
// nothing. [CheckExposure] says where that is not enough.
//

package transport
