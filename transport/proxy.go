// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// WithTrustedProxies names the proxies that are believed when they say in
// X-Forwarded-For whose request they pass on; nobody else is, and no other
// header. They must append the address of their peer to it, or replace it, and
// keep the Host of the request: see [WithAllowedHosts], which a server that
// listens on loopback needs then.
func WithTrustedProxies(proxies ...netip.Prefix) Option {
	return func(s *Server) {
		for _, p := range proxies {
			if !p.IsValid() {
				s.refuse(fmt.Errorf("trusted proxy %v: not a range of addresses", p))
			}
		}
		s.access.proxies = proxies
	}
}

// maxHops is how many addresses of X-Forwarded-For are looked at.
const maxHops = 32

// forwardedFor returns the client of a request that comes from peer with these
// values of the header X-Forwarded-For: the last address in them that is not
// a trusted proxy's, or else the first. What comes before something that is no
// address is not looked at, and none of it where peer is not trusted.
func forwardedFor(peer netip.Addr, values []string, trusted []netip.Prefix) netip.Addr {
	client := peer.Unmap()
	hops := 0
	for _, value := range slices.Backward(values) {
		for more := true; more; hops++ {
			if hops == maxHops || !within(client, trusted) {
				return client
			}
			last := strings.LastIndexByte(value, ',')
			hop, ok := parseHop(value[last+1:])
			if !ok {
				return client
			}
			client = hop
			if more = last >= 0; more {
				value = value[:last]
			}
		}
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

// addressOf parses "address:port"; what is no such thing, a path of a Unix
// socket, has no address.
func addressOf(remote string) netip.Addr {
	pair, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return pair.Addr().Unmap().WithZone("")
}

// networkOf is what counts as one address: a network of IPv6 has more addresses
// than anybody could count.
func networkOf(address netip.Addr) netip.Addr {
	if !address.Is6() {
		return address
	}
	network, _ := address.WithZone("").Prefix(64)
	return network.Addr()
}
