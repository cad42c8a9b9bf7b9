// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// listenAddress is the address of a TCP listener.
func listenAddress(text string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text))
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]struct {
		isLocal        bool   // only this machine reaches it
		local, network string // where this machine reaches it, in a URL; what counts as one address
	}{
		"127.0.0.1:4444":            {true, "127.0.0.1:4444", "127.0.0.1"},
		"127.9.9.9:0":               {true, "127.9.9.9:0", "127.9.9.9"},
		"[::1]:4444":                {true, "[::1]:4444", "::"},
		"[::ffff:127.0.0.1]:4444":   {true, "127.0.0.1:4444", "127.0.0.1"},
		"0.0.0.0:4444":              {false, "127.0.0.1:4444", "0.0.0.0"},
		"[::]:4444":                 {false, "127.0.0.1:4444", "::"},
		"192.0.2.7:4444":            {false, "192.0.2.7:4444", "192.0.2.7"},
		"[::ffff:192.0.2.7]:4444":   {false, "192.0.2.7:4444", "192.0.2.7"},
		"[2001:db8::7]:4444":        {false, "[2001:db8::7]:4444", "2001:db8::"},
		"[2001:db8:1:2:3:4:5:6]:80": {false, "[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::"},
		"[fe80::1%eth0]:4444":       {false, "[fe80::1%25eth0]:4444", "fe80::"},
	} {
		at := listenAddress(text)
		if isLocal(at) != want.isLocal || LocalURL(at, false) != "ws://"+want.local || networkOf(addressOf(text)).String() != want.network {
			t.Errorf("%s: got %v, %s, %s", text, isLocal(at), LocalURL(at, false), networkOf(addressOf(text)))
		}
	}
	socket := &net.UnixAddr{Name: "/tmp/hub.sock", Net: "unix"}
	if !isLocal(socket) || LocalAddress(socket).IsValid() || isLocal(&net.TCPAddr{}) {
		t.Error("a Unix socket, or a listener without an address")
	}
	for _, remote := range []string{"@", "/tmp/a.sock", ""} {
		if networkOf(addressOf(remote)).IsValid() {
			t.Errorf("%q has an address", remote)
		}
	}
}

func TestExposure(t *testing.T) {
	for _, tt := range []struct {
		address   string
		tls, auth bool
		proxies   string
		missing   string
	}{
		{"127.0.0.1:4444", false, false, "", ""},
		{"0.0.0.0:4444", true, true, "", ""},
		{"0.0.0.0:4444", false, false, "", "no TLS and no authentication"},
		{"0.0.0.0:4444", true, false, "", "no authentication"},
		{"0.0.0.0:4444", false, true, "", "no TLS"},
		{"127.0.0.1:4444", false, false, "127.0.0.0/8", "no authentication"},
		{"127.0.0.1:4444", true, false, "127.0.0.0/8", "no authentication"},
		{"127.0.0.1:4444", false, true, "127.0.0.0/8", ""},
		{"0.0.0.0:4444", false, true, "127.0.0.0/8", "no TLS"},
	} {
		var proxies []netip.Prefix
		if tt.proxies != "" {
			proxies = prefixes(tt.proxies)
		}
		err := CheckExposure(listenAddress(tt.address), tt.tls, tt.auth, proxies...)
		if (err == nil) != (tt.missing == "") || err != nil &&
			(!strings.HasPrefix(err.Error(), "serving "+tt.address) || !strings.HasSuffix(err.Error(), "there is "+tt.missing)) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}
