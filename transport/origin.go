// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
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
	return func(s *Server) {
		s.access.origins = map[origin]bool{}
		for _, text := range origins {
			o, err := parseOrigin(text)
			if err != nil {
				s.fail(fmt.Errorf("allowed origin %q: %w", text, err))
				continue
			}
			s.access.origins[o] = true
		}
	}
}

// allowsOrigin reports whether a page of that origin may connect. proxied says
// that a trusted proxy has passed its request on.
func (a *accessControl) allowsOrigin(text string, proxied bool) bool {
	o, err := parseOrigin(text)
	if err != nil { // "null" among others
		return false
	}
	local := a.local && !proxied && loopbackName(o.host)
	return a.origins[o] || local && (o.scheme == "http" || o.scheme == "https")
}

// origin is where a page comes from. The port is empty if it is the scheme's.
type origin struct{ scheme, host, port string }

func parseOrigin(text string) (origin, error) {
	// The standard library knows schemes and ports; parseHost lets nothing
	// else follow.
	u, err := url.Parse(text)
	if err != nil || text[len(u.Scheme):] != "://"+u.Host || strings.HasSuffix(text, ":") {
		return origin{}, errOrigin
	}
	host, port, err := parseHost(u.Host)
	if err != nil {
		return origin{}, errOrigin
	}
	if u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		port = ""
	}
	return origin{u.Scheme, host, port}, nil
}

var errOrigin = errors.New(`not of the form "scheme://host" or "scheme://host:port"`)
