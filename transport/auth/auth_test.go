// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/transport"
)

// A certificate does not help a client with a wrong secret, nor one of a kind that
// is not accepted.
func TestSecretsComeBeforeCertificates(t *testing.T) {
	token, entry := newToken(t, "ci", time.Time{})
	stranger, _ := newToken(t, "stranger", time.Time{})
	path, signer := writeTokens(t, written(t, entry)), newIssuer(t)
	jwt := signer.sign(t, nil)
	for name, a := range map[string]*Authenticator{
		"all":    {open(t, path).tokens, true, signer.jwt(t, Config{}).jwts},
		"no JWT": open(t, path),
	} {
		for _, c := range []struct {
			r      *http.Request
			caller string
		}{
			{request(), "web"},
			{bearing(token), "ci"},
			{bearing(stranger), ""},
			{bearing("a.b.c"), ""},
			{bearing("a.b.c.d.e"), ""},
			{bearing("rubbish"), ""},
			{request("Authorization", "Basic czpz"), ""},
			{request("X-Plexus-API-Key", ""), ""},
			{request("X-Plexus-API-Key", token, "Cookie", "access_token="+token), ""},
			{bearing(jwt), map[string]string{"all": "alice"}[name]},
		} {
			c.r.TLS = chain(leaf("web"))
			caller, err := a.Authenticate(c.r)
			if caller.Name != c.caller || (err == nil) != (c.caller != "") {
				t.Errorf("%s: %v: got %+v, %v", name, c.r.Header, caller, err)
			}
			if errors.Is(err, transport.ErrNoCredentials) {
				t.Errorf("%s: %v: it counts as without credentials: %v", name, c.r.Header, err)
			}
		}
	}
}

// Browsers send the secret in a subprotocol.
func TestASecretInASubprotocolIsNotSentBack(t *testing.T) {
	token, entry := newToken(t, "page", time.Time{})
	tokens := open(t, writeTokens(t, written(t, entry)))
	url := testhub.Start(t, testhub.Config{Options: []transport.Option{transport.WithAuthentication(tokens.Authenticate)}}).URL
	for _, offer := range [][]string{{"plexus", "plexus.bearer." + encoded(token)}, {"plexus.bearer." + encoded(token), "plexus"}} {
		_, response, err := testkit.DialWith(t, &gorilla.Dialer{Subprotocols: offer}, url, nil)
		must(t, err)
		if got := response.Header["Sec-Websocket-Protocol"]; !slices.Equal(got, []string{"plexus"}) {
			t.Errorf("the answer has %q", got)
		}
	}
	_, response, err := testkit.DialWith(t, &gorilla.Dialer{Subprotocols: []string{"plexus"}}, url, nil)
	if err == nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a secret: %v", err)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	token, entry := newToken(b, "ci", time.Time{}, "registry:read")
	tokens := open(b, writeTokens(b, written(b, entry)))
	signer := newIssuer(b)
	a := &Authenticator{tokens: tokens.tokens, jwts: signer.jwt(b, Config{}).jwts}
	for name, secret := range map[string]string{"token": token, "RS256": signer.sign(b, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := bearing(secret)
			for b.Loop() {
				if _, err := a.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
