// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"
)

// Authority is a certificate authority for one test. Nothing else may trust it.
type Authority struct {
	// From and Until bound the certificates that it makes from now on; where they
	// are zero, these were valid for an hour and are for another one.
	From, Until time.Time

	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority, whose certificate has that common name.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign makes a certificate of a template; the first one is the authority's own.
func (a *Authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	serial, serialErr := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err := errors.Join(err, serialErr); err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if !a.Until.IsZero() {
		template.NotBefore, template.NotAfter = a.From, a.Until
	}
	parent, parentKey := a.cert, a.key
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// Pair makes a certificate and its key, as PEM, for a server or a client: the
// name is its common name, and it is good for the host of that name, localhost
// and 127.0.0.1. It is valid for an hour.
func (a *Authority) Pair(name string) (cert, key []byte) {
	a.t.Helper()
	c, k := a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    []string{name, "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return encodePEM("CERTIFICATE", c.Raw), encodePEM("PRIVATE KEY", der)
}

// Certificate is such a pair, as a program uses it.
func (a *Authority) Certificate(name string) tls.Certificate {
	a.t.Helper()
	pair, err := tls.X509KeyPair(a.Pair(name))
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// PEM is the authority's own certificate.
func (a *Authority) PEM() []byte { return encodePEM("CERTIFICATE", a.cert.Raw) }

// Pool holds only the authority's own certificate.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
