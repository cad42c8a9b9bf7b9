// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"time"

	"github.com/plexus-go/plexus/internal/filewatch"
)

// renewTime is how long before its end a certificate should have been renewed: those
// of ACME are a month before, if they last that long.
const renewTime = 14 * 24 * time.Hour

// Warnings returns what is wrong with the files as they are now, or soon will be,
// each in a text of one line: one that can't be read or has a mistake, so that the
// former content stays in use; a certificate that has expired, will within 14 days,
// or is not valid yet. Certificates by ACME are renewed in time, so that the last
// sixth of their life is what counts for them, if that is shorter.
func (t TLS) Warnings() (all []string) {
	var files []filewatch.File
	paths := t.paths()
	for _, path := range paths {
		file := filewatch.Read(path, maxTLSFileBytes)
		if file.Err != nil {
			all = append(all, fmt.Sprintf("the former TLS files stay in use: %s: %v", path, file.Err))
		}
		files = append(files, file)
	}
	if all == nil {
		if _, err := t.load(&tls.Config{}, files); err != nil {
			all = append(all, fmt.Sprintf("the former TLS files stay in use: %v", err))
		}
	}
	soon := func(*x509.Certificate) time.Duration { return renewTime }
	for i, path := range paths {
		all = append(all, expiring(path, files[i].Data, soon)...)
	}
	soon = func(c *x509.Certificate) time.Duration { return min(renewTime, c.NotAfter.Sub(c.NotBefore)/6) }
	for _, name := range t.ACME.Names {
		for _, kind := range []string{"", "+rsa"} { // as package autocert names them
			path := filepath.Join(t.ACME.Cache, name+kind)
			all = append(all, expiring(path, filewatch.Read(path, maxTLSFileBytes).Data, soon)...)
		}
	}
	return all
}

// expiring returns what is wrong with the dates of the certificates in a file.
func expiring(path string, text []byte, soon func(*x509.Certificate) time.Duration) (all []string) {
	now := time.Now()
	seen := map[string]bool{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // load says so
		}
		verb, at := "", c.NotAfter
		switch {
		case now.After(c.NotAfter):
			verb = "expired at"
		case now.Before(c.NotBefore):
			verb, at = "is not valid before", c.NotBefore
		case c.NotAfter.Sub(now) < soon(c):
			verb = "expires at"
		default:
			continue
		}
		kind := "certificate"
		if c.IsCA {
			kind = "certificate of the authority"
		}
		text := fmt.Sprintf("%s: the %s %.64q %s %s", path, kind, c.Subject.CommonName, verb, at.UTC().Format(time.RFC3339))
		if !seen[text] {
			all, seen[text] = append(all, text), true
		}
	}
	return all
}
