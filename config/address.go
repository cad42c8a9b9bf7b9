// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/plexus-go/plexus/storage"
)

// Address is where a hub is reached.
type Address struct {
	Protocol string // "ws" or "wss"
	Host     string // host name, IPv4 or IPv6 address, without brackets
	Port     int    // 1–65535
}

// String returns the address as a URL, with its port.
func (a Address) String() string {
	host := a.Host
	if strings.Contains(host, ":") {
		// As net.JoinHostPort has it, save for the mark of a zone.
		host = strings.ReplaceAll(host, "%", "%25")
	}
	return a.Protocol + "://" + net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// ParseAddress reads a URL such as wss://plexus.example.com or ws://[::1]:4444.
// Where no port is given, it is 80 for ws and 443 for wss. There may be nothing
// behind it but a slash. The error is the rule that text breaks, to be said
// after the text: "has a path", "is not a ws:// or wss:// URL".
func ParseAddress(text string) (Address, error) {
	const rule = "is not a ws:// or wss:// URL"
	parsed, err := url.Parse(text)
	if err != nil || parsed.Opaque != "" || parsed.Scheme != "ws" && parsed.Scheme != "wss" || !strings.Contains(text, "://") {
		return Address{}, errors.New(rule)
	}
	switch {
	case parsed.User != nil:
		return Address{}, errors.New("has a user, which no hub asks for")
	case parsed.Path != "" && parsed.Path != "/":
		return Address{}, errors.New("has a path, which no hub has")
	case strings.Contains(text, "?"):
		return Address{}, errors.New("has a query, which no hub asks for")
	case strings.Contains(text, "#"):
		return Address{}, errors.New("has a fragment, which no hub has")
	case strings.HasSuffix(parsed.Host, ":"):
		return Address{}, errors.New("has a colon without a port behind it")
	}
	address := Address{Protocol: parsed.Scheme, Host: parsed.Hostname(), Port: 80}
	if address.Protocol == "wss" {
		address.Port = 443
	}
	if port := parsed.Port(); port != "" {
		// One that is out of bounds is out of those of a port, too.
		if address.Port, err = strconv.Atoi(port); err != nil {
			return Address{}, errors.New("has a port that is not 1–65535")
		}
	}
	backend := storage.Backend{Name: "address", Source: storage.SourceEnv}
	address.of(&backend)
	if refused := (*storage.FieldError)(nil); errors.As(backend.Validate(), &refused) {
		return Address{}, errors.New("has a " + refused.Field + " that " + refused.Rule)
	}
	return address, nil
}

// of makes a the address of b.
func (a Address) of(b *storage.Backend) {
	b.Protocol, b.Host, b.Port = a.Protocol, a.Host, a.Port
}
