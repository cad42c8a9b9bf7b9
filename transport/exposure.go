// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// ExposureError says that a hub would be served to other machines without
// protection.
type ExposureError struct {
	// Address is where the hub would listen.
	Address string
	// TLS and Authentication tell which of them it has; not both.
	TLS, Authentication bool
}

func (e *ExposureError) Error() string {
	var missing []string
	if !e.TLS {
		missing = append(missing, "TLS")
	}
	if !e.Authentication {
		missing = append(missing, "authentication")
	}
	return fmt.Sprintf("serving %s: other machines can reach this address, and there is no %s",
		e.Address, strings.Join(missing, " and no "))
}

// CheckExposure returns an [*ExposureError] where a hub would be served at an
// address that is not loopback without both TLS and authentication.
func CheckExposure(address string, tls, authentication bool) error {
	if IsLoopback(address) || tls && authentication {
		return nil
	}
	return &ExposureError{Address: address, TLS: tls, Authentication: authentication}
}

// IsLoopback tells whether only this machine reaches an address to listen at,
// "127.0.0.1:4444", "localhost:0", or without a port. An empty host is every
// interface, and a name that is not localhost may be any.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(host, "localhost")
	}
	return ip.Unmap().IsLoopback()
}

// localListener tells whether only this machine reaches a listener.
func localListener(a net.Addr) bool {
	return a.Network() == "unix" || IsLoopback(a.String())
}
