// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/plexus-go/plexus/internal/address"
)

// LocalAddress returns the address at which clients on this machine reach a TCP
// listener. One that listens on all interfaces, 0.0.0.0 or [::], is reached at
// 127.0.0.1: not every client can write ::1 in a URL. For any other listener, a
// Unix socket for one, the result is not valid.
func LocalAddress(listener net.Addr) netip.AddrPort {
	at, _ := netip.ParseAddrPort(listener.String())
	ip := at.Addr().Unmap()
	if ip.IsUnspecified() {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(ip, at.Port())
}

// LocalURL returns the URL of a TCP listener at its [LocalAddress].
func LocalURL(listener net.Addr, tls bool) string {
	protocol := "ws"
	if tls {
		protocol = "wss"
	}
	at := LocalAddress(listener)
	return address.URL(protocol, at.Addr().String(), int(at.Port()))
}

// CheckExposure returns an error where a hub would be served to other machines
// without both TLS and authentication: by a listener that is not on loopback, or
// by trusted proxies, whose TLS is their own.
func CheckExposure(listener net.Addr, tls, authentication bool, proxies ...netip.Prefix) error {
	missing := "TLS and no authentication"
	switch {
	case isLocal(listener) && len(proxies) > 0 && !authentication:
		return fmt.Errorf("serving %s through a proxy: other machines can reach it, and there is no authentication", listener)
	case isLocal(listener), tls && authentication:
		return nil
	case tls:
		missing = "authentication"
	case authentication:
		missing = "TLS"
	}
	return fmt.Errorf("serving %s: other machines can reach this address, and there is no %s", listener, missing)
}

// WithInsecure serves other machines though [CheckExposure] has an objection,
// which is an error of Serve otherwise: whoever reaches the port may then do
// everything, or read what others do. So may whoever is behind a proxy that is not
// trusted.
func WithInsecure() Option { return func(s *Server) { s.access.insecure = true } }

// isLocal reports whether only this machine reaches a listener.
func isLocal(listener net.Addr) bool {
	return listener.Network() == "unix" || addressOf(listener.String()).IsLoopback()
}

// addressOf parses "address:port". The result is not valid for anything else,
// such as the path of a Unix socket.
func addressOf(remote string) netip.Addr {
	pair, _ := netip.ParseAddrPort(remote)
	return pair.Addr().Unmap().WithZone("")
}

// networkOf returns what counts as one address: of IPv6, a network, since it has
// more addresses than can be counted.
func networkOf(address netip.Addr) netip.Addr {
	if !address.Is6() {
		return address
	}
	network, _ := address.Prefix(64)
	return network.Addr()
}
