// SPDX-License-Identifier: AGPL-3.0-only

package storage

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// NormalizeHost returns a host as it is stored and dialled: a name as DNS and host
// files know it, letters, digits, hyphens and underscores in labels of up to 63
// bytes, or an IP address, an IPv6 one without brackets and with or without a zone.
// An international name becomes its ASCII form: not every client would look
// bücher.example up as xn--bcher-kva.example. It returns host as it is with the
// error that says why it can't be dialled.
func NormalizeHost(host string) (string, *FieldError) {
	const maxInternational = 1 << 10 // bytes; more have no ASCII form of up to 253
	if host == "" {
		return host, invalid("host", host, "is empty")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return host, validateIP(host, ip)
	}
	ascii := host
	if strings.ContainsFunc(host, notASCII) {
		var err error
		if len(host) > maxInternational || !utf8.ValidString(host) || strings.ContainsFunc(host, isForeign) {
			return host, errHost(host)
		}
		if ascii, err = idna.Lookup.ToASCII(host); err != nil {
			return host, errHost(host)
		}
	}
	name := strings.TrimSuffix(ascii, ".")
	labels := strings.Split(name, ".")
	switch {
	case len(name) > 253 || slices.ContainsFunc(labels, isWrongLabel):
		return host, errHost(host)
	case isNumber(labels[len(labels)-1]): // many programs read it as an IPv4 address
		return host, invalid("host", host, "is not an IPv4 address")
	}
	return ascii, nil
}

func errHost(host string) *FieldError {
	return invalid("host", host, "is not a host name, IPv4 or IPv6 address (no scheme, path or port)")
}

// validateIP refuses what stands for many machines, or none.
func validateIP(host string, ip netip.Addr) *FieldError {
	zone := ip.Zone()
	switch ip = ip.WithZone("").Unmap(); {
	case len(zone) > 63 || strings.ContainsFunc(zone, notInZone):
		return errHost(host)
	case ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return invalid("host", host, "is the address of many machines")
	case ip.IsUnspecified() || ip.Is4() && ip.As4()[0] == 0:
		return invalid("host", host, "is not the address of a machine")
	}
	return nil
}

func isWrongLabel(label string) bool {
	return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
		strings.ContainsFunc(label, notInLabel)
}

// isNumber reports whether a label is a decimal or hexadecimal number.
func isNumber(label string) bool {
	hex, isHex := strings.CutPrefix(strings.ToLower(label), "0x")
	return strings.Trim(label, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == ""
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// notInZone reports whether r can't be part of the name of a network interface.
func notInZone(r rune) bool { return r != '.' && notInLabel(r) }

func notASCII(r rune) bool { return r >= utf8.RuneSelf }

// isForeign reports whether r is a digit of another script than ours, which may be
// taken for one of ours, or invisible.
func isForeign(r rune) bool { return notASCII(r) && unicode.IsNumber(r) || isInvisible(r) }
