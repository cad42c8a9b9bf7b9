// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/authority"
)

// As a browser does it: the secret comes in a subprotocol, and does not go back.
func TestSubprotocolIsNeverEchoed(t *testing.T) {
	token, entry := newToken(t, "page", time.Time{})
	tokens := open(t, tokenFile(t, written(t, entry)))
	upgrader := gorilla.Upgrader{Subprotocols: []string{Subprotocol}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := tokens.Authenticate(r); err != nil {
			Refuse(w, err)
			return
		}
		if ws, err := upgrader.Upgrade(w, r, nil); err == nil {
			ws.Close()
		}
	}))
	defer server.Close()
	address := "ws" + strings.TrimPrefix(server.URL, "http")
	for _, offer := range [][]string{{"plexus", "plexus.bearer." + encoded(token)}, {"plexus.bearer." + encoded(token), "plexus"}} {
		ws, response, err := (&gorilla.Dialer{Subprotocols: offer}).Dial(address, nil)
		must(t, err)
		ws.Close()
		if got := response.Header["Sec-Websocket-Protocol"]; !slices.Equal(got, []string{"plexus"}) {
			t.Errorf("the answer has %q", got)
		}
	}
	_, response, err := (&gorilla.Dialer{Subprotocols: []string{"plexus"}}).Dial(address, nil)
	if err == nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a secret: %v", err)
	}
}

// With a real handshake, in which the client shows a certificate or none.
func TestCertificatesOverTLS(t *testing.T) {
	signer := authority.New(t, "clients")
	client, forged := signer.Certificate("web"), authority.New(t, "strangers").Certificate("web")
	certificates := open(t, tokenFile(t, "[[certificate]]\nname = \"web\"\nscopes = [\"registry:read\"]\n")).Certificates()
	for _, c := range []struct {
		ask  tls.ClientAuthType
		show *tls.Certificate
		want string // empty where there is no connection
	}{
		{tls.VerifyClientCertIfGiven, &client, "200 web registry:read"},
		{tls.VerifyClientCertIfGiven, nil, "401 Authentication required"},
		{tls.VerifyClientCertIfGiven, &forged, ""},
		// A server that verifies nothing is told nothing by a certificate.
		{tls.RequestClientCert, &forged, "401 Invalid credentials"},
	} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, err := certificates.Authenticate(r)
			if err != nil {
				Refuse(w, err)
				return
			}
			_, _ = io.WriteString(w, caller.Name+" "+strings.Join(caller.Scopes, " "))
		}))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{ClientAuth: c.ask, ClientCAs: signer.Pool()}
		server.StartTLS()
		web := server.Client()
		config := web.Transport.(*http.Transport).TLSClientConfig
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c.show == nil {
				return new(tls.Certificate), nil
			}
			return c.show, nil
		}
		response, err := web.Get(server.URL)
		got := ""
		if err == nil {
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			got = response.Status[:4] + strings.TrimSpace(string(body))
		}
		if got != c.want {
			t.Errorf("%v: got %q, %v, want %q", c.ask, got, err, c.want)
		}
		server.Close()
	}
}

func TestKinds(t *testing.T) {
	tokens := open(t, tokenFile(t, ""))
	all := Any(tokens, newIssuer(t).jwt(t, JWTConfig{}), tokens.Certificates())
	if got := all.Kinds(); !slices.Equal(got, []string{"bearer", "api_key", "cookie", "subprotocol", "certificate"}) {
		t.Errorf("got %q", got)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	token, entry := newToken(b, "ci", time.Time{}, "registry:read")
	tokens, err := OpenTokens(tokenFile(b, written(b, entry)), nil)
	must(b, err)
	signer := newIssuer(b)
	all := Any(tokens, signer.jwt(b, JWTConfig{}))
	for name, secret := range map[string]string{"token": token, "RS256": signer.sign(b, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := bearing(secret)
			for b.Loop() {
				if _, err := all.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
