// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"net/http"

	"github.com/plexus-go/plexus/plugin"
)

// Authenticate finds out who makes a request, from what is in its header or
// from its TLS certificate. It returns the zero caller for a request without
// any credentials, and an error for wrong ones: the error is logged, and the
// caller is not told it. The request's context ends when the time for the
// handshake is over. It is called by many goroutines at once.
//
// The address of the request is that of its peer, which may be a proxy.
type Authenticate func(*http.Request) (plugin.Caller, error)

// WithAuthentication lets in those only whom authenticate knows, and those
// whom [WithAnonymous] lets in. Without it, whoever can connect may do
// everything, or what WithAnonymous says.
func WithAuthentication(authenticate Authenticate) Option {
	return func(s *Server) { s.door.authenticate = authenticate }
}

// WithAnonymous lets in those who show no credentials, with these scopes; none
// is nothing that needs a scope. Wrong credentials are refused all the same.
func WithAnonymous(scopes ...string) Option {
	return func(s *Server) { s.door.anonymous = &plugin.Caller{Scopes: scopes} }
}

// callerOf is who makes a request, or why it is refused.
func (d *door) callerOf(r *http.Request, from source) (plugin.Caller, *refusal) {
	var caller plugin.Caller
	if d.authenticate != nil {
		ctx := r.Context()
		if d.limits.HandshakeTimeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d.limits.HandshakeTimeout)
			defer cancel()
		}
		var err error
		if caller, err = d.authenticate(r.WithContext(ctx)); err != nil {
			d.rates.charge(from.counted)
			return plugin.Caller{}, &refusal{wrongCredentials, "The credentials are not valid.", err}
		}
	}
	if caller.Name == "" && caller.Means == "" && caller.Scopes == nil {
		switch {
		case d.anonymous != nil:
			caller = *d.anonymous
		case d.authenticate == nil:
			caller.Scopes = []string{"*"}
		default:
			return plugin.Caller{}, &refusal{wrongCredentials, "Credentials are needed.", nil}
		}
	}
	caller.Remote = from.remote
	return caller, nil
}
