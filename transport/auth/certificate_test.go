// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// leaf is a certificate with a common name.
func leaf(common string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: common}, NotAfter: time.Now().Add(time.Hour)}
}

// chain is a connection with that certificate, as it is after verification.
func chain(leaf *x509.Certificate) *tls.ConnectionState {
	return &tls.ConnectionState{
		PeerCertificates: []*x509.Certificate{leaf},
		VerifiedChains:   [][]*x509.Certificate{{leaf, {Subject: pkix.Name{CommonName: "authority"}}}},
	}
}

func TestCertificates(t *testing.T) {
	tokens := open(t, writeTokens(t, `
		[[certificate]]
		name = "spiffe://example.org/web"
		scopes = ["registry:read"]
		[[certificate]]
		name = "web.example.org"
		scopes = ["registry:write"]
		[[certificate]]
		name = "Web Server"
		scopes = []
	`))
	all := leaf("Web Server")
	for _, path := range []string{"/web", "/admin"} {
		all.URIs = append(all.URIs, &url.URL{Scheme: "spiffe", Host: "example.org", Path: path})
	}
	all.DNSNames = []string{"web.example.org"}
	dns := leaf("Web Server")
	dns.DNSNames = []string{"web.example.org", "admin.example.org"}
	passing := leaf("spiffe://example.org/web")
	passingDNS := leaf("x")
	passingDNS.DNSNames = []string{"spiffe://example.org/web"}
	expired := leaf("Web Server")
	expired.NotAfter = time.Now().Add(-time.Second)
	unverified := chain(all)
	unverified.VerifiedChains = nil

	for name, c := range map[string]struct {
		state  *tls.ConnectionState
		caller string
		scopes []string
		want   error
		text   string
	}{
		"no TLS":              {nil, "", nil, transport.ErrNoCredentials, ""},
		"no certificate":      {&tls.ConnectionState{}, "", nil, transport.ErrNoCredentials, ""},
		"a URI":               {chain(all), "spiffe://example.org/web", []string{"registry:read"}, nil, ""},
		"a DNS name":          {chain(dns), "web.example.org", []string{"registry:write"}, nil, ""},
		"a common name":       {chain(leaf("Web Server")), "Web Server", nil, nil, ""},
		"one that is unknown": {chain(leaf("stranger")), "stranger", nil, nil, ""},
		"unverified":          {unverified, "", nil, nil, "not verified"},
		"expired since":       {chain(expired), "", nil, nil, "expired"},
		"without a name":      {chain(leaf("")), "", nil, nil, "empty"},
		"a long name":         {chain(leaf(strings.Repeat("x", 257))), "", nil, nil, "longer"},
		"a control":           {chain(leaf("a\nb")), "", nil, nil, "printable"},
		"a CN like a URI":     {chain(passing), "", nil, nil, "looks like a URI"},
		"a DNS like a URI":    {chain(passingDNS), "", nil, nil, "looks like a URI"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request()
			r.TLS = c.state
			caller, err := tokens.Authenticate(r)
			if c.caller == "" {
				fails(t, err, c.want, c.text)
				return
			}
			want := plugin.Caller{Name: c.caller, Means: "certificate", Scopes: c.scopes}
			if len(caller.Scopes) == 0 {
				caller.Scopes = nil
			}
			if err != nil || !reflect.DeepEqual(caller, want) {
				t.Errorf("got %+v, %v", caller, err)
			}
		})
	}
}
