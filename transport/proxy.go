// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// WithTrustedProxies names the proxies whose X-Forwarded-For is trusted: it says
// whose request they pass on. The proxies must append the address of their peer to
// it, or replace it, and keep the Host of the request: a server that listens on
// loopback then needs [WithAllowedHosts].
//
// What other proxies write is not believed. But a request that shows that one has
// passed it on, by X-Forwarded-For, Forwarded, Via or the like, does not count as
// one of this machine: where nobody has to authenticate, it is rejected. A proxy
// that adds no such header can't be told from its clients.
func WithTrustedProxies(proxies ...netip.Prefix) Option {
	return func(s *Server) {
		for _, p := range proxies {
			if !p.IsValid() {
				s.fail(fmt.Errorf("trusted proxy %v: not a range of addresses", p))
			}
		}
		s.access.proxies = proxies
	}
}

// proxyHeader returns a header of a request that only proxies write; empty if
// there is none. Nearly every one has its own for the client's address.
func proxyHeader(header http.Header) string {
	for name := range header {
		plain := strings.Map(func(r rune) rune {
			if r == '-' || r == '_' {
				return -1
			}
			return unicode.ToLower(r)
		}, name)
		if plain == "via" || plain == "cdnloop" || strings.Contains(plain, "forwarded") ||
			slices.ContainsFunc(clientAddress, func(end string) bool { return strings.HasSuffix(plain, end) }) {
			return name
		}
	}
	return ""
}

// clientAddress is how names of headers end that hold the address of the client.
var clientAddress = []string{"clientip", "connectingip", "connectingipv6", "externaladdress", "originatingip", "realip", "remoteip", "userip"}

// maxHops is how many addresses of X-Forwarded-For are read.
const maxHops = 32

// forwardedFor returns the client of a request that comes from peer. It reads
// these values of the header X-Forwarded-For from the end, where each trusted
// proxy has appended its peer: to the first address that is not a trusted proxy's,
// or up to something that is not an address.
func forwardedFor(peer netip.Addr, values []string, trusted []netip.Prefix) netip.Addr {
	client, rest := peer.Unmap(), strings.Join(values, ",")
	for range maxHops {
		last := strings.LastIndexByte(rest, ',')
		hop, ok := parseHop(rest[last+1:])
		if !ok || !within(client, trusted) {
			break
		}
		client = hop
		if last < 0 {
			break
		}
		rest = rest[:last]
	}
	return client
}

// parseHop parses an address, which some proxies give with its port.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	address, err := netip.ParseAddr(text)
	if err != nil {
		pair, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		address = pair.Addr()
	}
	address = address.Unmap()
	if address.Zone() != "" || address.IsUnspecified() || address.IsMulticast() {
		return netip.Addr{}, false
	}
	return address, true
}

func within(address netip.Addr, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool {
		// A range of IPv4 in IPv6 contains nothing otherwise.
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Contains(address)
	})
}
