// SPDX-License-Identifier: AGPL-3.0-only

package address

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// ParseHost splits the Host of a request, with or without a port. A name is returned
// in lower case and without a dot at the end, an address in its usual form.
func ParseHost(text string) (name, port string, err error) {
	u := url.URL{Host: text}
	name, port = u.Hostname(), u.Port()
	bracketed := strings.HasPrefix(text, "[")
	if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" && ip.Is6() == bracketed {
		return ip.Unmap().String(), port, nil
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if bracketed || strings.Contains("."+name+".", "..") || strings.ContainsFunc(name, notInNames) {
		return "", "", errors.New("neither a name nor an address")
	}
	return name, port, nil
}

// notInNames reports whether no host name has the character. International names
// are sent in ASCII.
func notInNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

// Origin is where a page comes from. The port is empty if it is the scheme's.
type Origin struct{ Scheme, Host, Port string }

// ParseOrigin reads the origin of a page, as browsers send it.
func ParseOrigin(text string) (Origin, error) {
	// The standard library knows schemes and ports; ParseHost lets nothing
	// else follow.
	u, err := url.Parse(text)
	if err != nil || text[len(u.Scheme):] != "://"+u.Host || strings.HasSuffix(text, ":") {
		return Origin{}, errOrigin
	}
	host, port, err := ParseHost(u.Host)
	if err != nil {
		return Origin{}, errOrigin
	}
	if u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		port = ""
	}
	return Origin{u.Scheme, host, port}, nil
}

var errOrigin = errors.New(`not of the form "scheme://host" or "scheme://host:port"`)
