// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"errors"
	"net"
	"strings"
	"testing"
)

func TestLoopbackAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:4444":          true,
		"127.9.9.9:0":             true,
		"[::1]:4444":              true,
		"[::ffff:127.0.0.1]:4444": true,
		"localhost:4444":          true,
		"LOCALHOST":               true,
		"127.0.0.1":               true,
		"::1":                     true,
		"[::1]":                   true,
		":4444":                   false,
		"":                        false,
		"0.0.0.0:4444":            false,
		"[::]:4444":               false,
		"::":                      false,
		"192.0.2.7:4444":          false,
		"hub.example:4444":        false,
		"a.localhost:4444":        false, // looked up like any name
		"localhost.evil:4444":     false,
		"127.0.0.1.evil:4444":     false,
	} {
		if got := IsLoopback(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
	if !localListener(&net.UnixAddr{Name: "/tmp/hub.sock", Net: "unix"}) || localListener(&net.TCPAddr{}) {
		t.Error("the listeners of this machine are not known")
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
		err := CheckExposure(tt.address, tt.tls, tt.auth)
		var exposure *ExposureError
		if tt.missing == "" {
			if err != nil {
				t.Error(err)
			}
		} else if !errors.As(err, &exposure) || exposure.Address != tt.address ||
			!strings.HasSuffix(err.Error(), "there is "+tt.missing) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}
