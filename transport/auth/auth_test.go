// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

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
		"of none":                           {nil, "", transport.ErrNoCredentials},
		"without credentials":               {[]transport.Authenticate{none, none}, "", transport.ErrNoCredentials},
		"the first":                         {[]transport.Authenticate{always("a", nil), always("b", nil), wrong}, "a", nil},
		"the first that finds some":         {[]transport.Authenticate{none, other, always("b", nil), wrong}, "b", nil},
		"wrong ones decide":                 {[]transport.Authenticate{none, wrong, always("b", nil)}, "", errWrong},
		"wrong ones decide after others":    {[]transport.Authenticate{other, wrong, always("b", nil)}, "", errWrong},
		"what nobody judges is not nothing": {[]transport.Authenticate{other, none}, "", errNotForUs},
		"within another":                    {[]transport.Authenticate{Any(none, other), Any(), Any(always("b", nil))}, "b", nil},
	} {
		caller, err := Any(c.all...)(request())
		if caller.Name != c.caller || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v, %v", name, caller, err)
		}
	}
}

// A certificate is no way around a secret that is wrong, in whatever order.
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
			c.r.TLS = verified(t, "web")
			caller, err := all(c.r)
			_, want, _ := strings.Cut(c.caller, " ")
			if strings.HasPrefix(c.caller, "jwt") && name == "no JWT" {
				want = ""
			}
			if caller.Name != want || (err == nil) != (want != "") {
				t.Errorf("%s: %v: got %+v, %v", name, c.r.Header, caller, err)
			}
			if err != nil && errors.Is(err, transport.ErrNoCredentials) {
				t.Errorf("%s: %v: it passes for nobody: %v", name, c.r.Header, err)
			}
		}
	}
}
