// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// verdict is an authenticator that says always the same.
type verdict struct {
	name string
	err  error
}

func (v verdict) Authenticate(*http.Request) (plugin.Caller, error) {
	return plugin.Caller{Name: v.name}, v.err
}

func (v verdict) Kinds() []string { return []string{"bearer", v.name} }

func TestAny(t *testing.T) {
	none := verdict{"", fmt.Errorf("nothing: %w", ErrNoCredentials)}
	other := verdict{"", fmt.Errorf("something: %w", ErrOtherCredentials)}
	errWrong := errors.New("wrong")
	wrong := verdict{"nobody", errWrong}
	for name, c := range map[string]struct {
		all    []Authenticator
		caller string
		err    error
	}{
		"of none":                           {nil, "", ErrNoCredentials},
		"without credentials":               {[]Authenticator{none, none}, "", ErrNoCredentials},
		"the first":                         {[]Authenticator{verdict{"a", nil}, verdict{"b", nil}, wrong}, "a", nil},
		"the first that finds some":         {[]Authenticator{none, other, verdict{"b", nil}, wrong}, "b", nil},
		"wrong ones decide":                 {[]Authenticator{none, wrong, verdict{"b", nil}}, "", errWrong},
		"wrong ones decide after others":    {[]Authenticator{other, wrong, verdict{"b", nil}}, "", errWrong},
		"what nobody judges is not nothing": {[]Authenticator{other, none}, "", ErrOtherCredentials},
		"within another":                    {[]Authenticator{Any(none, other), Any(), Any(verdict{"b", nil})}, "b", nil},
	} {
		caller, err := Any(c.all...).Authenticate(request())
		if caller.Name != c.caller || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v, %v", name, caller, err)
		}
	}
	if kinds := Any(verdict{"b", nil}, verdict{"a", nil}).Kinds(); !slices.Equal(kinds, []string{"bearer", "b", "a"}) {
		t.Errorf("got %q", kinds)
	}
}

// A certificate is no way around a secret that is wrong, in whatever order.
func TestSecretsComeBeforeCertificates(t *testing.T) {
	token, entry := newToken(t, "ci", time.Time{})
	stranger, _ := newToken(t, "stranger", time.Time{})
	tokens := open(t, tokenFile(t, written(t, entry)))
	signer := newIssuer(t)
	jwts := signer.jwt(t, JWTConfig{})
	for name, all := range map[string]Authenticator{
		"first":  Any(tokens.Certificates(), tokens, jwts),
		"last":   Any(tokens, jwts, tokens.Certificates()),
		"no JWT": Any(tokens.Certificates(), tokens),
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
			caller, err := all.Authenticate(c.r)
			_, want, _ := strings.Cut(c.caller, " ")
			if strings.HasPrefix(c.caller, "jwt") && name == "no JWT" {
				want = ""
			}
			if caller.Name != want || (err == nil) != (want != "") {
				t.Errorf("%s: %v: got %+v, %v", name, c.r.Header, caller, err)
			}
			if err != nil && errors.Is(err, ErrNoCredentials) {
				t.Errorf("%s: %v: it passes for nobody: %v", name, c.r.Header, err)
			}
		}
	}
}

func TestRefuse(t *testing.T) {
	for _, c := range []struct {
		err             error
		challenge, text string
	}{
		{ErrNoCredentials, `Bearer realm="plexus"`, "Authentication required\n"},
		{fmt.Errorf("a: %w", ErrNoCredentials), `Bearer realm="plexus"`, "Authentication required\n"},
		{ErrOtherCredentials, `Bearer realm="plexus", error="invalid_token"`, "Invalid credentials\n"},
		{errors.New("the token \"ci\" expired"), `Bearer realm="plexus", error="invalid_token"`, "Invalid credentials\n"},
	} {
		w := httptest.NewRecorder()
		Refuse(w, c.err)
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != c.challenge || w.Header().Get("Cache-Control") != "no-store" || w.Body.String() != c.text {
			t.Errorf("%v: got %d, %v, %q", c.err, w.Code, w.Header(), w.Body)
		}
	}
}
