// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"golang.org/x/crypto/acme"

	"github.com/plexus-go/plexus/internal/filewatch"
)

// TLS says how connections are encrypted: with a certificate from files, or
// with one from a certificate authority by ACME.
type TLS struct {
	// CertFile and KeyFile hold the certificate with its chain, and its
	// private key, as PEM.
	CertFile, KeyFile string
	// ClientCAFile holds the authorities, as PEM, that have signed the
	// certificates of clients. Clients must show one then, or with
	// ClientCertOptional may: one that is shown is verified in any case. Empty:
	// clients are not asked for one.
	ClientCAFile       string
	ClientCertOptional bool
	// ACME gets the certificate, instead of the files.
	ACME ACME
}

// maxTLSFileBytes is the size of each file.
const maxTLSFileBytes = 1 << 20

// NewTLSConfig makes a configuration for [WithTLS] with TLS 1.2 as the minimum,
// and the function that watches its files until ctx is done. New connections use
// what they hold within a second of a change; if anything in them is wrong, that
// is logged once, and the former content stays in use.
func NewTLSConfig(settings TLS, log *slog.Logger) (config *tls.Config, run func(ctx context.Context), err error) {
	byACME := len(settings.ACME.Names) > 0
	switch {
	case byACME && (settings.CertFile != "" || settings.KeyFile != ""):
		return nil, nil, errors.New("TLS: a certificate file and ACME exclude each other")
	case byACME && settings.ACME.Cache == "":
		return nil, nil, errors.New("TLS: ACME needs a folder to keep its certificates in")
	case !byACME && (settings.CertFile == "" || settings.KeyFile == ""):
		return nil, nil, errors.New("TLS: a certificate file, a key file, or names for ACME are missing")
	case settings.ClientCAFile == "" && settings.ClientCertOptional:
		return nil, nil, errors.New("TLS: client certificates need a file of authorities")
	}
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if byACME {
		base.GetCertificate = settings.ACME.certificates(log)
	}
	load := func(files []filewatch.File) (*tls.Config, error) { return settings.load(base, files) }
	current, err := filewatch.Load(load, maxTLSFileBytes, settings.paths()...)
	if err != nil {
		return nil, nil, fmt.Errorf("TLS: %w", err)
	}
	run = func(ctx context.Context) {
		current.Follow(ctx, log, "the TLS files have changed and are wrong: the former ones stay in use",
			func() { log.Info("the TLS files were reloaded") })
	}
	config = base.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		// The authority checks that a name leads here. It has no client
		// certificate, and its connection can carry no request.
		if byACME && slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
			challenge := base.Clone()
			challenge.NextProtos = []string{acme.ALPNProto}
			return challenge, nil
		}
		return current.Get(), nil
	}
	return config, run, nil
}

// paths are those of the files that are given, in the order that load needs.
func (t TLS) paths() []string {
	return slices.DeleteFunc([]string{t.CertFile, t.KeyFile, t.ClientCAFile}, func(path string) bool { return path == "" })
}

// load makes a configuration of the content of the files.
func (t TLS) load(base *tls.Config, files []filewatch.File) (*tls.Config, error) {
	c := base.Clone()
	if t.CertFile != "" {
		pair, err := tls.X509KeyPair(files[0].Data, files[1].Data)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", t.CertFile, t.KeyFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if t.ClientCAFile != "" {
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(files[len(files)-1].Data) {
			return nil, fmt.Errorf("%s: no certificate in it", t.ClientCAFile)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if t.ClientCertOptional {
			c.ClientAuth = tls.VerifyClientCertIfGiven
		}
		// A session that is resumed would not be verified by new authorities.
		c.SessionTicketsDisabled = true
	}
	return c, nil
}
