// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// always makes a way to authenticate that gives every request the same answer.
func always(name string, err error) transport.Authenticate {
	return func(*http.Request) (plugin.Caller, error) { return plugin.Caller{Name: name}, err }
}

func TestAny(t *testing.T) {
	none := always("", fmt.Errorf("nothing: %w", transport.ErrNoCredentials))
	other := always("", fmt.Errorf("something: %w", errNotForUs))
	errWrong := errors.New("wrong")
	wrong := always("nobody", errWrong)
	for name, c := range map[string]struct {
		all    []transport.Authenticate
		caller string
		err    error
	}{
		"of none":                             {nil, "", transport.ErrNoCredentials},
		"without credentials":                 {[]transport.Authenticate{none, none}, "", transport.ErrNoCredentials},
		"the first":                           {[]transport.Authenticate{always("a", nil), always("b", nil), wrong}, "a", nil},
		"the first that finds some":           {[]transport.Authenticate{none, other, always("b", nil), wrong}, "b", nil},
		"wrong ones decide":                   {[]transport.Authenticate{none, wrong, always("b", nil)}, "", errWrong},
		"wrong ones decide after others":      {[]transport.Authenticate{other, wrong, always("b", nil)}, "", errWrong},
		"those of no known kind are not none": {[]transport.Authenticate{other, none}, "", errNotForUs},
		"within another":                      {[]transport.Authenticate{Any(none, other), Any(), Any(always("b", nil))}, "b", nil},
	} {
		caller, err := Any(c.all...)(request())
		if caller.Name != c.caller || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v, %v", name, caller, err)
		}
	}
}

// A certificate does not help a client with a wrong secret, in whatever order they
// are joined.
func TestSecretsComeBeforeCertificates(t *testing.T) {
	token, entry := newToken(t, "ci", time.Time{})
	stranger, _ := newToken(t, "stranger", time.Time{})
	tokens := open(t, tokenFile(t, written(t, entry)))
	signer := newIssuer(t)
	jwts := signer.jwt(t, JWTConfig{})
	for name, all := range map[string]transport.Authenticate{
		"first":  Any(tokens.AuthenticateCertificate, tokens.Authenticate, jwts.Authenticate),
		"last":   Any(tokens.Authenticate, jwts.Authenticate, tokens.AuthenticateCertificate),
		"no JWT": Any(tokens.AuthenticateCertificate, tokens.Authenticate),
	} {
		for _, c := range []struct {
			r      *http.Request
			caller string
		}{
			{request(), "token web"},
			{bearing(token), "token ci"},
			{bearing(stranger), ""},
			{bearing("a.b.c"), ""},
			{bearing("a.b.c.d.e"), ""},
			{bearing("rubbish"), ""},
			{request("Authorization", "Basic czpz"), ""},
			{request("X-Plexus-API-Key", ""), ""},
			{request("X-Plexus-API-Key", token, "Cookie", "access_token="+token), ""},
			{bearing(signer.sign(t, nil)), "jwt alice"},
		} {
			c.r.TLS = chain(leaf("web"))
			caller, err := all(c.r)
			_, want, _ := strings.Cut(c.caller, " ")
			if strings.HasPrefix(c.caller, "jwt") && name == "no JWT" {
				want = ""
			}
			if caller.Name != want || (err == nil) != (want != "") {
				t.Errorf("%s: %v: got %+v, %v", name, c.r.Header, caller, err)
			}
			if err != nil && errors.Is(err, transport.ErrNoCredentials) {
				t.Errorf("%s: %v: it counts as without credentials: %v", name, c.r.Header, err)
			}
		}
	}
}

// Browsers send the secret in a subprotocol.
func TestASecretInASubprotocolIsNotSentBack(t *testing.T) {
	token, entry := newToken(t, "page", time.Time{})
	tokens := open(t, tokenFile(t, written(t, entry)))
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
	tokens := open(b, tokenFile(b, written(b, entry)))
	signer := newIssuer(b)
	authenticate := Any(tokens.Authenticate, signer.jwt(b, JWTConfig{}).Authenticate)
	for name, secret := range map[string]string{"token": token, "RS256": signer.sign(b, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := bearing(secret)
			for b.Loop() {
				if _, err := authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
