// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"github.com/plexus-go/plexus/internal/address"
)

// WithAllowedOrigins names the web pages that may connect by their origins,
// "https://app.example:8443", each with its port unless that is the scheme's.
//
// A browser sends the origin of the page with each WebSocket that it opens, and
// the page can't change it. Clients that are no pages send none, and are allowed.
// So are, on a server that listens on loopback, pages that come from this machine,
// by http or https from any port, unless a proxy has passed their requests on. Any
// other page must be listed here: otherwise every page that a user opens could
// reach the hubs of that user's machine.
func WithAllowedOrigins(origins ...string) Option {
	return func(s *Server) { s.access.origins = allowed(s, "origin", origins, address.ParseOrigin) }
}

// allowsOrigin reports whether a page of that origin may connect. proxied says
// that a trusted proxy has passed its request on.
func (a *accessControl) allowsOrigin(text string, proxied bool) bool {
	o, err := address.ParseOrigin(text)
	if err != nil { // "null" among others
		return false
	}
	local := a.local && !proxied && loopbackName(o.Host)
	return a.origins[o] || local && (o.Scheme == "http" || o.Scheme == "https")
}
