// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

// certificates are the PEM files for wss:// connections; empty for none.
type certificates struct {
	ca        string // who is trusted beside the authorities of the system
	cert, key string // authenticate us
}

// config reads the files; nil where there are none. The client certificate is
// used only where credentials may be sent.
func (c certificates) config(credentials bool) (*tls.Config, error) {
	if (c.cert == "") != (c.key == "") {
		return nil, usagef("--cert needs --key, and the other way round")
	}
	if c == (certificates{}) {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.ca != "" {
		text, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, usagef("--ca: %v", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool() // a system without authorities
		}
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, usagef("--ca: %s: no certificate in it", c.ca)
		}
	}
	if c.cert != "" && credentials {
		own, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, usagef("--cert %s, --key %s: %v", c.cert, c.key, err)
		}
		// Shown also to a hub that does not know its authority, which then says
		// so, where it would else let in a stranger.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	return config, nil
}
