// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport"
)

// As a browser does it: the secret comes in a subprotocol, and is not sent back.
func TestSubprotocolIsNeverEchoed(t *testing.T) {
	token, entry := newToken(t, "page", time.Time{})
	tokens := open(t, tokenFile(t, written(t, entry)))
	h, err := hub.New("hub")
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	running(t, func() { _ = transport.New(h, transport.WithAuthentication(tokens.Authenticate)).Serve(ctx, l) })
	t.Cleanup(stop)
	url := "ws://" + l.Addr().String()
	for _, offer := range [][]string{{"plexus", "plexus.bearer." + encoded(token)}, {"plexus.bearer." + encoded(token), "plexus"}} {
		ws, response, err := (&gorilla.Dialer{Subprotocols: offer}).Dial(url, nil)
		must(t, err)
		ws.Close()
		if got := response.Header["Sec-Websocket-Protocol"]; !slices.Equal(got, []string{"plexus"}) {
			t.Errorf("the answer has %q", got)
		}
	}
	_, response, err := (&gorilla.Dialer{Subprotocols: []string{"plexus"}}).Dial(url, nil)
	if err == nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a secret: %v", err)
	}
}

// With a real handshake, in which the client shows a certificate or none.
func TestCertificatesOverTLS(t *testing.T) {
	signer := testkit.NewAuthority(t, "clients")
	client, forged := signer.Certificate("web"), testkit.NewAuthority(t, "strangers").Certificate("web")
	tokens := open(t, tokenFile(t, "[[certificate]]\nname = \"web\"\nscopes = [\"registry:read\"]\n"))
	for _, c := range []struct {
		ask  tls.ClientAuthType
		show *tls.Certificate
		want string // empty where there is no connection
	}{
		{tls.VerifyClientCertIfGiven, &client, "200 web registry:read"},
		{tls.VerifyClientCertIfGiven, nil, "401 no credentials"},
		{tls.VerifyClientCertIfGiven, &forged, ""},
		// A certificate that the server has not verified does not count.
		{tls.RequestClientCert, &forged, "401 the certificate was not verified"},
	} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, err := tokens.AuthenticateCertificate(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
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

func BenchmarkAuthenticate(b *testing.B) {
	token, entry := newToken(b, "ci", time.Time{}, "registry:read")
	tokens, err := OpenTokens(tokenFile(b, written(b, entry)), nil)
	must(b, err)
	signer := newIssuer(b)
	all := Any(tokens.Authenticate, signer.jwt(b, JWTConfig{}).Authenticate)
	for name, secret := range map[string]string{"token": token, "RS256": signer.sign(b, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := bearing(secret)
			for b.Loop() {
				if _, err := all(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
