// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// authenticateCertificate returns the caller that a client certificate names. The
// scopes are those of the table [[certificate]] with exactly that name. Without such
// a table the caller has a name, but no scopes.
func (t *tokenFile) authenticateCertificate(state *tls.ConnectionState) (plugin.Caller, error) {
	switch {
	case state == nil || len(state.PeerCertificates) == 0:
		return plugin.Caller{}, transport.ErrNoCredentials
	case len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0:
		return plugin.Caller{}, errors.New("the certificate was not verified")
	}
	leaf := state.VerifiedChains[0][0]
	name, err := identity(leaf)
	if err != nil {
		return plugin.Caller{}, err
	}
	if time.Now().After(leaf.NotAfter) { // since the connection began
		return plugin.Caller{}, fmt.Errorf("the certificate of %q expired at %s", name, leaf.NotAfter.Format(time.RFC3339))
	}
	return plugin.Caller{Name: name, Means: "certificate", Scopes: slices.Clone(t.entries.Get().certificates[name])}, nil
}

// identity returns the name of a certificate's holder: the first URI among its
// alternative names (a SPIFFE identity, for one), else the first DNS name, else the
// common name of its subject.
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
