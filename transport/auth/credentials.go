// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/plexus-go/plexus/transport"
)

const (
	maxSecretBytes = 4 << 10

	apiKeyHeader   = "X-Plexus-Api-Key" // #nosec G101 -- a name, as net/http writes it
	cookieName     = "access_token"
	subprotocol    = "plexus" // the only one that the server answers with
	protocolPrefix = subprotocol + ".bearer."
)

// secretOf returns the one secret that a request carries: 1 to 4096 visible
// ASCII characters. The error is transport.ErrNoCredentials if there is none, and
// errKind for another scheme than Bearer. Errors quote nothing of what was
// sent.
func secretOf(header http.Header) (string, error) {
	bearer, errBearer := bearers(header)
	offered, errOffered := protocols(header)
	var found []string // with "" for what can't be a secret
	var wrong error
	for _, source := range []struct {
		name    string
		secrets []string
		err     error
	}{
		{"the header Authorization", bearer, errBearer},
		{"the header X-Plexus-API-Key", header[apiKeyHeader], nil},
		{"the cookie " + cookieName, cookies(header), nil},
		{"the header Sec-WebSocket-Protocol", offered, errOffered},
	} {
		if err := cmp.Or(source.err, checkSecrets(source.secrets)); err != nil {
			wrong = cmp.Or(wrong, fmt.Errorf("%s: %w", source.name, err))
			source.secrets = []string{""}
		}
		found = append(found, source.secrets...)
	}
	switch {
	case len(found) > 1:
		return "", errors.New("credentials in more than one place")
	case wrong != nil:
		return "", wrong
	case len(found) == 0:
		return "", transport.ErrNoCredentials
	}
	return found[0], nil
}

func checkSecrets(secrets []string) error {
	for _, secret := range secrets {
		switch {
		case secret == "":
			return errors.New("the secret is empty")
		case len(secret) > maxSecretBytes:
			return fmt.Errorf("the secret is longer than %d bytes", maxSecretBytes)
		case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
			return errors.New("the secret has characters other than visible ASCII")
		}
	}
	return nil
}

func bearers(header http.Header) (secrets []string, err error) {
	if len(header["Authorization"]) > 1 {
		return nil, errors.New("is sent more than once")
	}
	for _, value := range header["Authorization"] {
		scheme, secret, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, errKind
		}
		secrets = append(secrets, strings.Trim(secret, " "))
	}
	return secrets, nil
}

// cookies parses the header itself, since net/http ignores malformed cookies. An
// empty cookie is none: that is how pages sign out.
func cookies(header http.Header) (secrets []string) {
	for _, line := range header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(pair, "=")
			value = strings.Trim(value, " \t")
			if inner, ok := strings.CutPrefix(value, `"`); ok {
				value = strings.TrimSuffix(inner, `"`)
			}
			if strings.Trim(name, " \t") == cookieName && value != "" {
				secrets = append(secrets, value)
			}
		}
	}
	return secrets
}

func protocols(header http.Header) (secrets []string, err error) {
	offered := strings.Join(header["Sec-Websocket-Protocol"], ",")
	plain := false
	for protocol := range strings.SplitSeq(offered, ",") {
		protocol = strings.Trim(protocol, " \t")
		plain = plain || protocol == subprotocol
		if len(protocol) < len(protocolPrefix) || !strings.EqualFold(protocol[:len(protocolPrefix)], protocolPrefix) {
			continue
		}
		encoded, ok := strings.CutPrefix(protocol, protocolPrefix)
		if !ok {
			return nil, errors.New(protocolPrefix + " must be in lower case")
		}
		secret, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
		if err != nil {
			return nil, errors.New("the secret is not base64url without padding")
		}
		secrets = append(secrets, string(secret))
	}
	if len(secrets) > 0 && !plain {
		// The server could only answer with the secret, or with none, which
		// browsers refuse.
		return nil, errors.New(subprotocol + " is not offered beside the secret")
	}
	return secrets, nil
}
