// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
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
		s.access.hosts = map[string]bool{}
		for _, text := range hosts {
			name, port, err := parseHost(text)
			if err == nil && port != "" {
				err = errors.New("no port may be given: all are the same")
			}
			if err != nil {
				s.fail(fmt.Errorf("allowed host %q: %w", text, err))
				continue
			}
			s.access.hosts[name] = true
		}
	}
}

// allowsHost reports whether the server answers to the Host of a request. proxied
// says that a trusted proxy has passed it on.
func (a *accessControl) allowsHost(host string, proxied bool) bool {
	name, _, err := parseHost(host)
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

// parseHost splits a host with or without a port. A name is returned in lower case
// and without a dot at the end, an address in its usual form.
func parseHost(text string) (name, port string, err error) {
	u := url.URL{Host: text}
	name, port = u.Hostname(), u.Port()
	bracketed := strings.HasPrefix(text, "[")
	if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" && ip.Is6() == bracketed {
		return ip.Unmap().String(), port, nil
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if bracketed || strings.Contains("."+name+".", "..") || strings.ContainsFunc(name, notInNames) {
		return "", "", errors.New("neither a name nor an address")
	}
	return name, port, nil
}

// notInNames reports whether no host name has the character. International names
// are sent in ASCII.
func notInNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

// loopbackName reports whether a host, as parseHost returns it, is this machine.
func loopbackName(name string) bool {
	return strings.HasSuffix(name, ".localhost") || address.IsLoopback(name)
}
