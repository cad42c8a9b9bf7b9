// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// errNotForUs is the error for credentials that another way to authenticate may
// accept. Where none does, they are wrong.
var errNotForUs = errors.New("credentials of a kind that is not accepted here")

// Any joins several ways to authenticate. The first that knows the kind of a
// request's credentials decides: credentials that it refuses are not tried with
// the next. Credentials of a kind that none of them knows are wrong as well. A
// function of your own returns [transport.ErrNoCredentials] for a kind that it
// doesn't know.
//
// Without any way to authenticate, no request has credentials.
func Any(all ...transport.Authenticate) transport.Authenticate {
	all = slices.Clone(all)
	return func(r *http.Request) (plugin.Caller, error) {
		var notForUs error
		for _, authenticate := range all {
			caller, err := authenticate(r)
			switch {
			case err == nil:
				return caller, nil
			case errors.Is(err, errNotForUs):
				notForUs = cmp.Or(notForUs, err)
			case !errors.Is(err, transport.ErrNoCredentials):
				return plugin.Caller{}, err
			}
		}
		return plugin.Caller{}, cmp.Or(notForUs, transport.ErrNoCredentials)
	}
}

// SecretKinds returns how clients may send tokens and JWTs, in the words of _info:
// "bearer", "api_key", "cookie", "subprotocol".
func SecretKinds() []string { return []string{"bearer", "api_key", "cookie", "subprotocol"} }
