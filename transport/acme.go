// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/time/rate"
)

// ACME gets certificates from a certificate authority by that protocol, and
// renews them. The authority connects to port 443 of the names (TLS-ALPN-01),
// which must lead to the server. Who uses it agrees to the terms of the
// authority.
type ACME struct {
	// Names are the public names to get a certificate for; none: no ACME.
	Names []string
	// Cache is the folder where keys and certificates are kept.
	Cache string
	// Email is the operator's, for the authority; it may be empty.
	Email string
	// Directory is the URL of the authority's directory; empty is Let's Encrypt.
	Directory string
}

type getCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// certificates returns what gets the certificate for a connection.
func (a ACME) certificates(log *slog.Logger) getCertificate {
	manager := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(a.Cache),
		HostPolicy: autocert.HostWhitelist(a.Names...),
		Email:      a.Email,
	}
	if a.Directory != "" {
		manager.Client = &acme.Client{DirectoryURL: a.Directory}
	}
	// Every client that connects would cause a line; one a minute is enough.
	ours, others := rate.Sometimes{First: 1, Interval: time.Minute}, rate.Sometimes{First: 1, Interval: time.Minute}
	return limitWaiting(func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := manager.GetCertificate(hello)
		name := hello.ServerName
		switch {
		case err == nil:
		case slices.ContainsFunc(a.Names, func(own string) bool { return strings.EqualFold(own, name) }):
			ours.Do(func() { log.Error("there is no certificate by ACME", "name", name, "error", err) })
		default:
			others.Do(func() { log.Info("a client wants a certificate for a name that is not ours", "name", name) })
		}
		return certificate, err
	})
}

// maxWaiting is how many connections may wait for a certificate. When the
// authority is not available they wait for minutes, even if their clients left.
const maxWaiting = 1_000

// limitWaiting refuses connections while too many wait for a certificate.
func limitWaiting(get getCertificate) getCertificate {
	waiting := make(chan struct{}, maxWaiting)
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		select {
		case waiting <- struct{}{}:
			defer func() { <-waiting }()
			return get(hello)
		default:
			return nil, errors.New("TLS: too many connections wait for a certificate")
		}
	}
}
