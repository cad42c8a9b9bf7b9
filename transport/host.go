// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"errors"
	"fmt"
	"strings"

	"github.com/plexus-go/plexus/internal/address"
)

// WithAllowedHosts names the hosts that the server answers to, without ports:
// "hub.example", "192.0.2.7".
//
// The Host of a request is the name that the client has called. It protects from
// DNS rebinding: a web page makes its own name lead to this machine, and calls
// with that name. So a server that listens on loopback answers to localhost, names
// under it, loopback addresses and these hosts; requests that a trusted proxy
// passes on, only to these. A server that listens elsewhere can't know its names:
// without this option it answers to all. Rebinding does not help there either,
// since the page's origin must be among [WithAllowedOrigins].
func WithAllowedHosts(hosts ...string) Option {
	return func(s *Server) {
		s.access.hosts = allowed(s, "host", hosts, func(text string) (string, error) {
			name, port, err := address.ParseHost(text)
			if port != "" {
				err = errors.New("no port may be given: all are the same")
			}
			return name, err
		})
	}
}

// allowed parses the list of an option; wrong ones are errors of Serve.
func allowed[T comparable](s *Server, what string, list []string, parse func(string) (T, error)) map[T]bool {
	all := map[T]bool{}
	for _, text := range list {
		one, err := parse(text)
		if err != nil {
			s.fail(fmt.Errorf("allowed %s %q: %w", what, text, err))
		}
		all[one] = true
	}
	return all
}

// allowsHost reports whether the server answers to the Host of a request. proxied
// says that a trusted proxy has passed it on.
func (a *accessControl) allowsHost(host string, proxied bool) bool {
	name, _, err := address.ParseHost(host)
	switch {
	case err != nil:
		return !a.local && len(a.hosts) == 0
	case a.hosts[name]:
		return true
	case a.local:
		return !proxied && loopbackName(name)
	default:
		return len(a.hosts) == 0
	}
}

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
// that a proxy has passed its request on, trusted or not.
func (a *accessControl) allowsOrigin(text string, proxied bool) bool {
	o, err := address.ParseOrigin(text)
	if err != nil { // "null" among others
		return false
	}
	local := a.local && !proxied && loopbackName(o.Host)
	return a.origins[o] || local && (o.Scheme == "http" || o.Scheme == "https")
}

// loopbackName reports whether a host, as address.ParseHost returns it, is this machine.
func loopbackName(name string) bool {
	return strings.HasSuffix(name, ".localhost") || address.IsLoopback(name)
}
