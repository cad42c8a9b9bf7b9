// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"cmp"
	"net"
	"net/netip"

	"github.com/plexus-go/plexus/internal/address"
)

// loopback is where this machine reaches a hub that listens on all interfaces: not
// every client can write ::1 in a URL.
const loopback = "127.0.0.1"

// checkHost completes where the hub is reached, or says what is wrong with it.
func (g *Registration) checkHost() (err error) {
	if at := g.listens(); at.IsValid() {
		g.Port = cmp.Or(g.Port, int(at.Port()))
		if g.everywhere = g.Host == "" && at.Addr().IsUnspecified(); g.everywhere {
			g.Host = loopback // until the registry is reached
		}
		g.Host = cmp.Or(g.Host, at.Addr().String())
	}
	g.Host, err = address.Host(g.Host)
	return err
}

// listens returns the address of the Listener, which is not valid where that is
// none of TCP.
func (g *Registration) listens() netip.AddrPort {
	if g.Listener == nil {
		return netip.AddrPort{}
	}
	at, _ := netip.ParseAddrPort(g.Listener.String())
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// localPort returns the port at which the hub listens on 127.0.0.1, if it
// does.
func (g *Registration) localPort() (port int, ok bool) {
	if g.Listener == nil {
		return g.Port, address.IsLoopback(g.Host)
	}
	at := g.listens()
	return int(at.Port()), at.Addr().IsUnspecified() || at.Addr().IsLoopback()
}

// reachedFrom sets where a hub that listens everywhere is reached, by our end of a
// connection to the registry.
func (g *Registration) reachedFrom(local net.Addr) {
	if !g.everywhere {
		return
	}
	at, _ := netip.ParseAddrPort(local.String())
	ip := at.Addr().Unmap()
	if ip.Is6() && g.listens().Addr().Is4() {
		ip = ipv4Beside(ip)
	}
	g.Host = loopback
	if ip.IsValid() && !ip.IsLoopback() {
		g.Host = ip.String()
	}
}

// ipv4Beside returns an IPv4 address of the interface that has an IPv6 one; not
// valid where there is none.
func ipv4Beside(ip netip.Addr) (beside netip.Addr) {
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		addresses, _ := i.Addrs()
		has := false
		beside = netip.Addr{}
		for _, a := range addresses {
			prefix, _ := netip.ParsePrefix(a.String())
			has = has || prefix.Addr() == ip.WithZone("")
			if prefix.Addr().Is4() && !beside.IsValid() {
				beside = prefix.Addr()
			}
		}
		if has {
			return beside
		}
	}
	return netip.Addr{}
}

// at reports whether an entry has this hub's address, or that at which it was
// before, however loopback is written there.
func (g *Registration) at(b *Backend, before string) bool {
	return b.Port == g.Port && cmp.Or(b.Protocol, "ws") == g.Protocol &&
		(b.Host == g.Host || b.Host == before || address.IsLoopback(b.Host) && address.IsLoopback(g.Host))
}
