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

func TestListenersOfThisMachine(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:4444":          true,
		"127.9.9.9:0":             true,
		"[::1]:4444":              true,
		"[::ffff:127.0.0.1]:4444": true,
		"0.0.0.0:4444":            false,
		"[::]:4444":               false,
		"192.0.2.7:4444":          false,
		"[fe80::1%eth0]:4444":     false,
	} {
		if got := isLocal(listenAddress(address)); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
	if !isLocal(&net.UnixAddr{Name: "/tmp/hub.sock", Net: "unix"}) || isLocal(&net.TCPAddr{}) {
		t.Error("a Unix socket, or a listener without an address")
	}
}

func TestLocalAddress(t *testing.T) {
	for listener, want := range map[string]string{
		"127.0.0.1:4444":          "127.0.0.1:4444",
		"192.0.2.7:4444":          "192.0.2.7:4444",
		"0.0.0.0:4444":            "127.0.0.1:4444",
		"[::]:4444":               "127.0.0.1:4444",
		"[::1]:4444":              "[::1]:4444",
		"[::ffff:192.0.2.7]:4444": "192.0.2.7:4444",
		"[2001:db8::7]:4444":      "[2001:db8::7]:4444",
	} {
		if got := LocalAddress(listenAddress(listener)); got.String() != want {
			t.Errorf("%s: got %s, want %s", listener, got, want)
		}
	}
	if got := LocalAddress(&net.UnixAddr{Name: "/tmp/hub.sock", Net: "unix"}); got.IsValid() {
		t.Errorf("a Unix socket: got %s", got)
	}
}

func TestExposure(t *testing.T) {
	for _, tt := range []struct {
		address   string
		tls, auth bool
		missing   string
	}{
		{"127.0.0.1:4444", false, false, ""},
		{"0.0.0.0:4444", true, true, ""},
		{"0.0.0.0:4444", false, false, "no TLS and no authentication"},
		{"0.0.0.0:4444", true, false, "no authentication"},
		{"0.0.0.0:4444", false, true, "no TLS"},
	} {
		err := CheckExposure(listenAddress(tt.address), tt.tls, tt.auth)
		if (err == nil) != (tt.missing == "") || err != nil &&
			(!strings.HasPrefix(err.Error(), "serving "+tt.address) || !strings.HasSuffix(err.Error(), "there is "+tt.missing)) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}
