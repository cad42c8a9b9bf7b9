// SPDX-License-Identifier: AGPL-3.0-only

package address

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/plexus-go/plexus/storage"
)

// URL returns the URL of a hub, as [Parse] reads it. An IPv6 address is without
// brackets, and may have a zone.
func URL(protocol, host string, port int) string {
	host, _ = storage.NormalizeHost(host)
	u := url.URL{Scheme: protocol, Host: net.JoinHostPort(host, strconv.Itoa(port))}
	return u.String()
}

// Parse reads the URL of a hub, which may have a path and a query, and returns the
// one to dial. The error is the rule that text breaks: "must be a ws:// or wss://
// URL". It shows no user.
func Parse(text string) (*url.URL, error) {
	scheme, _, found := strings.Cut(strings.ToLower(text), "://")
	if !found || scheme != "ws" && scheme != "wss" {
		return nil, errors.New("must be a ws:// or wss:// URL")
	}
	u, err := url.Parse(text)
	if syntax := (*url.Error)(nil); errors.As(err, &syntax) {
		err = syntax.Err // without the text
	}
	if err != nil {
		return nil, fmt.Errorf("must be a ws:// or wss:// URL: %w", err)
	}
	switch port := u.Port(); {
	case u.User != nil:
		return nil, errors.New("must not have a user")
	case u.Hostname() == "":
		return nil, errHost
	case strings.HasSuffix(u.Host, ":"):
		return nil, errors.New("must have a port behind the colon")
	case port != "":
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("must have a port of 1–65535")
		}
	}
	host, err := Host(u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHost, err)
	}
	if host != u.Hostname() {
		u.Host = strings.Replace(u.Host, u.Hostname(), host, 1)
	}
	return u, nil
}

var errHost = errors.New("must have a host name, or an IPv4 or IPv6 address")

// Split reads the URL of a hub as [Parse] does, such as wss://plexus.example.com or
// ws://[::1]:4444, and returns its protocol, its host without brackets, and its
// port: where none is given, 80 for ws and 443 for wss. Nothing but a slash may
// follow.
func Split(text string) (protocol, host string, port int, err error) {
	u, err := Parse(text)
	switch {
	case err != nil:
	case u.Path != "" && u.Path != "/":
		err = errors.New("must not have a path")
	case strings.Contains(text, "?"):
		err = errors.New("must not have a query")
	case strings.Contains(text, "#"):
		err = errors.New("must not have a fragment")
	}
	if err != nil {
		return "", "", 0, err
	}
	port = 80
	if u.Scheme == "wss" {
		port = 443
	}
	if u.Port() != "" {
		port, _ = strconv.Atoi(u.Port()) // Parse has checked it
	}
	return u.Scheme, u.Hostname(), port, nil
}

// Host returns a host as it is dialled, see [storage.NormalizeHost]. The error says
// why it can't be a backend's.
func Host(text string) (string, error) {
	host, invalid := storage.NormalizeHost(text)
	if invalid != nil {
		return host, invalid
	}
	return host, nil
}

// IsLoopback reports whether host, without brackets, is localhost or a loopback
// address.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Redact returns a URL, valid or not, without what may be secret: user and query.
func Redact(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		authority, path, slash := strings.Cut(rest, "/")
		authority = authority[strings.LastIndexByte(authority, '@')+1:]
		text = scheme + "://" + authority
		if slash {
			text += "/" + path
		}
	}
	return text
}
