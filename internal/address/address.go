// SPDX-License-Identifier: AGPL-3.0-only

package address

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/plexus-go/plexus/storage"
)

// Parse reads a URL such as wss://plexus.example.com or ws://[::1]:4444, and
// returns its protocol, its host without brackets, and its port: where none is
// given, 80 for ws and 443 for wss. Nothing but a slash may follow. The error is
// the rule that text breaks: "must be a ws:// or wss:// URL".
func Parse(text string) (protocol, host string, port int, err error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Opaque != "" || parsed.Scheme != "ws" && parsed.Scheme != "wss" || !strings.Contains(text, "://") {
		return "", "", 0, errors.New("must be a ws:// or wss:// URL")
	}
	switch {
	case parsed.User != nil:
		err = errors.New("must not have a user")
	case parsed.Path != "" && parsed.Path != "/":
		err = errors.New("must not have a path")
	case strings.Contains(text, "?"):
		err = errors.New("must not have a query")
	case strings.Contains(text, "#"):
		err = errors.New("must not have a fragment")
	case strings.HasSuffix(parsed.Host, ":"):
		err = errors.New("must have a port behind the colon")
	}
	if err != nil {
		return "", "", 0, err
	}
	port = 80
	if parsed.Scheme == "wss" {
		port = 443
	}
	if given := parsed.Port(); given != "" {
		if port, err = strconv.Atoi(given); err != nil || port < 1 || port > 65535 {
			return "", "", 0, errors.New("must have a port of 1–65535")
		}
	}
	if !ValidHost(parsed.Hostname()) {
		return "", "", 0, errors.New("must have a host name, or an IPv4 or IPv6 address")
	}
	return parsed.Scheme, parsed.Hostname(), port, nil
}

// ValidHost reports whether host is what a backend's host may be: a name, or an
// IPv4 or IPv6 address without brackets.
func ValidHost(host string) bool {
	backend := storage.Backend{Name: "host", Host: host, Port: 1, Protocol: "ws", Source: storage.SourceManual}
	return backend.Validate() == nil
}
