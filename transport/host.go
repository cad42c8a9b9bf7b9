// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// WithAllowedHosts names the hosts that the server answers to, without ports:
// "hub.example", "192.0.2.7".
//
// The Host of a request says whom the client believes to call. A page whose
// name its owner has made to lead to this machine (DNS rebinding) calls with
// its own name, which is none of ours. So a server that listens on loopback
// answers to localhost, names under it, loopback addresses and these hosts;
// requests that a trusted proxy passes on, to these only. One that listens
// elsewhere can't know its names, and answers to all where none are given:
// rebinding is of no use there either, since no page gets in for having the
// name that it calls; its origin must be among [WithAllowedOrigins].
func WithAllowedHosts(hosts ...string) Option {
	return func(s *Server) {
		s.access.hosts = nil // also where there are none
		for _, text := range hosts {
			name, port, err := parseHost(text)
			if err == nil && port != "" {
				err = errors.New("ports are not told apart, so none may be given")
			}
			if err != nil {
				s.refuse(fmt.Errorf("allowed host %q: %w", text, err))
				continue
			}
			if s.access.hosts == nil {
				s.access.hosts = map[string]bool{}
			}
			s.access.hosts[name] = true
		}
	}
}

// allowsHost tells whether the server answers to the Host of a request. proxied
// says that a trusted proxy has passed it on.
func (a *accessControl) allowsHost(host string, proxied bool) bool {
	name, _, err := parseHost(host)
	switch {
	case err != nil:
		return !a.local && a.hosts == nil
	case a.hosts[name]:
		return true
	case a.local:
		return !proxied && loopbackName(name)
	default:
		return a.hosts == nil
	}
}

// parseHost takes a host with or without a port apart. A name is in lower case
// and without a dot at the end, an address as it is commonly written.
func parseHost(text string) (name, port string, err error) {
	name = text
	bracketed := strings.HasPrefix(text, "[")
	if colon := strings.LastIndexByte(text, ':'); bracketed && !strings.HasSuffix(text, "]") || !bracketed && colon >= 0 {
		if name, port, err = net.SplitHostPort(text); err != nil {
			return "", "", err
		}
	} else if bracketed {
		name = text[1 : len(text)-1]
	}
	if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" && ip.Is6() == bracketed {
		return ip.Unmap().String(), port, nil
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if bracketed || strings.Contains("."+name+".", "..") || strings.ContainsFunc(name, foreignToNames) {
		return "", "", errors.New("neither a name nor an address")
	}
	return name, port, nil
}

// foreignToNames tells what stands in no host name. International names are
// sent in ASCII.
func foreignToNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

// loopbackName tells whether a host, as parseHost returns it, is this machine.
func loopbackName(name string) bool {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}
