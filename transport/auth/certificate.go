// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// AuthenticateCertificate authenticates callers by the client certificates that the
// server's TLS has verified. The name is the first URI among the certificate's
// alternative names (a SPIFFE identity, for one), else the first DNS name, else
// the common name of its subject; Means is "certificate". The scopes are those
// of the table [[certificate]] with exactly that name. Without such a table the
// caller has a name, but no scopes.
//
// For a request that carries a secret as well, only the secret counts: join this
// with [Any], beside [Tokens.Authenticate].
func (t *Tokens) AuthenticateCertificate(r *http.Request) (plugin.Caller, error) {
	switch _, err := secretOf(r.Header); {
	case err == nil:
		return plugin.Caller{}, fmt.Errorf("a secret: %w", errNotForUs)
	case !errors.Is(err, transport.ErrNoCredentials):
		return plugin.Caller{}, err
	case r.TLS == nil || len(r.TLS.PeerCertificates) == 0:
		return plugin.Caller{}, transport.ErrNoCredentials
	case len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0:
		return plugin.Caller{}, errors.New("the certificate was not verified")
	}
	leaf := r.TLS.VerifiedChains[0][0]
	name, err := identity(leaf)
	if err != nil {
		return plugin.Caller{}, err
	}
	if t.now().After(leaf.NotAfter) { // since the connection began
		return plugin.Caller{}, fmt.Errorf("the certificate of %q expired at %s", name, leaf.NotAfter.Format(time.RFC3339))
	}
	return plugin.Caller{Name: name, Means: "certificate", Scopes: slices.Clone(t.entries.Get().certificates[name])}, nil
}

// identity returns the name of a certificate's holder.
func identity(leaf *x509.Certificate) (string, error) {
	var name string
	switch {
	case len(leaf.URIs) > 0:
		name = leaf.URIs[0].String()
	case len(leaf.DNSNames) > 0:
		name = leaf.DNSNames[0]
	default:
		name = leaf.Subject.CommonName
	}
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("the certificate's name %.64q %w", name, err)
	}
	// An authority may check these less carefully, so they must not look like a
	// URI.
	if len(leaf.URIs) == 0 && strings.Contains(name, "://") {
		return "", fmt.Errorf("the certificate's name %.64q looks like a URI, and is not one", name)
	}
	return name, nil
}
