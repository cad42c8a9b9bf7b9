// SPDX-License-Identifier: AGPL-3.0-only

package connect

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ParseURL reads the address of a hub.
func ParseURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	var syntax *url.Error
	switch {
	case errors.As(err, &syntax):
		return nil, syntax.Err // without the address, which the caller adds
	case err != nil:
		return nil, err
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, fmt.Errorf("the scheme %q is neither ws nor wss", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("there is no host")
	case u.User != nil:
		return nil, errors.New("it contains a user: use WithToken, WithCookie or WithHeader")
	}
	return u, nil
}

// RedactURL returns an address without what may be secret: user and query.
func RedactURL(address string) string {
	address, _, _ = strings.Cut(address, "?")
	if scheme, rest, ok := strings.Cut(address, "://"); ok {
		authority, path, slash := strings.Cut(rest, "/")
		authority = authority[strings.LastIndexByte(authority, '@')+1:]
		address = scheme + "://" + authority
		if slash {
			address += "/" + path
		}
	}
	return address
}
