// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/plexus-go/plexus/plugin"
)

// Authenticator finds out who sends a request. Its methods may be called at
// once.
type Authenticator interface {
	// Authenticate returns the caller: Name, Means and Scopes, while Remote is
	// for others to fill in. Of the request it needs Header and TLS, and may
	// wait as long as the context allows, up to some seconds.
	//
	// The error is [ErrNoCredentials] where the request carries none, and
	// [ErrOtherCredentials] where it carries some that are for another
	// authenticator to judge. With any other error they are wrong. What it says
	// is for the log, never for the one who asks, and holds no secret.
	Authenticate(r *http.Request) (plugin.Caller, error)
	// Kinds names the ways to prove who one is, as _info tells them: "bearer",
	// "api_key", "cookie", "subprotocol", "certificate".
	Kinds() []string
}

var (
	// ErrNoCredentials says that a request carries no credentials.
	ErrNoCredentials = errors.New("no credentials")
	// ErrOtherCredentials says that a request carries credentials which the
	// authenticator does not judge. Where no other one does, they are wrong.
	ErrOtherCredentials = errors.New("credentials of a kind that is not accepted here")
)

// Any joins authenticators. The first that judges a request's credentials
// decides: what one calls wrong is never tried with the next. Credentials that
// nobody judges are wrong as well, and the error is ErrOtherCredentials.
//
// With no authenticators at all, nobody has credentials.
func Any(authenticators ...Authenticator) Authenticator {
	return joined(slices.Clone(authenticators))
}

type joined []Authenticator

func (j joined) Authenticate(r *http.Request) (plugin.Caller, error) {
	var other error
	for _, a := range j {
		caller, err := a.Authenticate(r)
		switch {
		case err == nil:
			return caller, nil
		case errors.Is(err, ErrOtherCredentials):
			other = cmp.Or(other, err)
		case !errors.Is(err, ErrNoCredentials):
			return plugin.Caller{}, err
		}
	}
	return plugin.Caller{}, cmp.Or(other, ErrNoCredentials)
}

func (j joined) Kinds() (kinds []string) {
	for _, a := range j {
		for _, kind := range a.Kinds() {
			if !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// Refuse answers a request that is not let in with status 401, and the header
// WWW-Authenticate. Of err, which Authenticate returned, it tells only whether
// there were credentials at all.
func Refuse(w http.ResponseWriter, err error) {
	challenge, text := `Bearer realm="plexus"`, "Authentication required"
	if !errors.Is(err, ErrNoCredentials) {
		challenge, text = challenge+`, error="invalid_token"`, "Invalid credentials"
	}
	w.Header().Set("WWW-Authenticate", challenge)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, http.StatusUnauthorized)
}
