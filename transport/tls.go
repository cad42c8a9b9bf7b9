// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/time/rate"
)

// TLS says how connections are encrypted: with a certificate from files, or
// with one that is asked for by ACME.
type TLS struct {
	// CertFile and KeyFile hold the certificate with its chain, and its
	// private key, as PEM.
	CertFile, KeyFile string
	// ClientCAFile holds the authorities, as PEM, that have signed the
	// certificates of clients. Clients must show one then, or with
	// ClientCertOptional may: one that is shown is verified in any case. Empty:
	// clients are not asked.
	ClientCAFile       string
	ClientCertOptional bool
	// ACME asks for the certificate, instead of the files.
	ACME ACME
}

// ACME gets certificates from a certificate authority that hands them out by
// that protocol, and renews them. The authority connects to port 443 of the
// names (TLS-ALPN-01), which must lead to the server. Who uses it agrees to the
// terms of the authority.
type ACME struct {
	// Names are the public names to get a certificate for; none: no ACME.
	Names []string
	// Cache is the folder where keys and certificates are kept.
	Cache string
	// Email is where the authority may write to; empty is nowhere.
	Email string
	// Directory is the address of the authority; empty is Let's Encrypt.
	Directory string
}

// fileCheck is how often the files are looked at, while clients connect.
const fileCheck = time.Second

// NewTLSConfig makes a configuration for [WithTLS] that asks for TLS 1.2 at
// least. It looks at the files again as clients connect: when they change, new
// connections get what they say, all of it or, when something in them is wrong,
// nothing of it, which is logged.
func NewTLSConfig(settings TLS, log *slog.Logger) (*tls.Config, error) {
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	files := &tlsFiles{settings: settings, log: log, base: base}
	switch byFile := settings.CertFile != "" || settings.KeyFile != ""; {
	case len(settings.ACME.Names) > 0 && byFile:
		return nil, errors.New("TLS: a certificate file and ACME exclude each other")
	case len(settings.ACME.Names) > 0 && settings.ACME.Cache == "":
		return nil, errors.New("TLS: ACME needs a folder to keep its certificates in")
	case len(settings.ACME.Names) > 0:
		manager := &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(settings.ACME.Cache),
			HostPolicy: autocert.HostWhitelist(settings.ACME.Names...),
			Email:      settings.ACME.Email,
		}
		if settings.ACME.Directory != "" {
			manager.Client = &acme.Client{DirectoryURL: settings.ACME.Directory}
		}
		// Each client that comes meets it.
		told, strange := rate.Sometimes{First: 1, Interval: time.Minute}, rate.Sometimes{First: 1, Interval: time.Minute}
		base.GetCertificate = fewAtOnce(manager.GetCertificate, func(name string, err error) {
			if slices.ContainsFunc(settings.ACME.Names, func(own string) bool { return strings.EqualFold(own, name) }) {
				told.Do(func() { log.Error("there is no certificate by ACME", "name", name, "error", err) })
			} else {
				strange.Do(func() { log.Info("a client wants a certificate for a name that is not ours", "name", name) })
			}
		})
	case settings.CertFile == "" || settings.KeyFile == "":
		return nil, errors.New("TLS: a certificate file, a key file, or names for ACME are missing")
	}
	if settings.ClientCAFile == "" && settings.ClientCertOptional {
		return nil, errors.New("TLS: client certificates need a file of authorities")
	}
	var err error
	if files.sum, files.current, err = files.load(); err != nil {
		return nil, err
	}
	files.checked = time.Now()
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         base.NextProtos,
		GetConfigForClient: files.configFor,
	}, nil
}

// mostAsking is how many connections may wait for a certificate. Where the
// authority does not answer they wait for minutes, though their clients left.
const mostAsking = 1_000

// fewAtOnce lets as many connections ask as may wait, and tells of failures.
func fewAtOnce(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), failed func(name string, err error)) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	asking := make(chan struct{}, mostAsking)
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		select {
		case asking <- struct{}{}:
			defer func() { <-asking }()
			c, err := get(hello)
			if err != nil {
				failed(hello.ServerName, err)
			}
			return c, err
		default:
			return nil, errors.New("TLS: too many connections wait for a certificate")
		}
	}
}

// tlsFiles keeps a configuration as its files say.
type tlsFiles struct {
	settings TLS
	log      *slog.Logger
	base     *tls.Config

	mu      sync.Mutex
	checked time.Time
	sum     [sha256.Size]byte // of what was loaded last, or failed
	current *tls.Config
}

// configFor returns the configuration for one connection.
func (f *tlsFiles) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if f.base.GetCertificate != nil && slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		// The authority looks whether the name is ours. It has no certificate,
		// and by this protocol it can ask nothing.
		c := f.base.Clone()
		c.NextProtos = []string{acme.ALPNProto}
		return c, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.checked) >= fileCheck {
		f.checked = now
		f.reload()
	}
	return f.current, nil
}

func (f *tlsFiles) reload() {
	sum, loaded, err := f.load()
	if sum == f.sum {
		return
	}
	f.sum = sum
	if err != nil {
		f.log.Error("the TLS files have changed and are wrong, so the former ones are used", "error", err)
		return
	}
	f.current = loaded
	f.log.Info("the TLS files were loaded again")
}

// load makes a configuration of the files, and a sum by which to tell whether
// they, or what is wrong with them, have changed.
func (f *tlsFiles) load() (sum [sha256.Size]byte, loaded *tls.Config, err error) {
	c := f.base.Clone()
	seen := sha256.New()
	defer func() {
		fmt.Fprint(seen, err)
		seen.Sum(sum[:0])
	}()
	read := func(name string) (text []byte) {
		if name == "" || err != nil {
			return nil
		}
		text, err = os.ReadFile(name)
		fmt.Fprintf(seen, "%d:%s", len(text), text)
		return text
	}
	cert, key, authorities := read(f.settings.CertFile), read(f.settings.KeyFile), read(f.settings.ClientCAFile)
	if err != nil {
		return sum, nil, fmt.Errorf("TLS: %w", err)
	}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return sum, nil, fmt.Errorf("TLS: %s and %s: %w", f.settings.CertFile, f.settings.KeyFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if f.settings.ClientCAFile != "" {
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(authorities) {
			return sum, nil, fmt.Errorf("TLS: %s: no certificate in it", f.settings.ClientCAFile)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if f.settings.ClientCertOptional {
			c.ClientAuth = tls.VerifyClientCertIfGiven
		}
		// A session that is resumed would not be verified by new authorities.
		c.SessionTicketsDisabled = true
	}
	return sum, c, nil
}
