// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"errors"
	"net/http"
	"slices"

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

// still tells, later, why a caller may not stay: the credentials that it has
// shown are not taken any more, or allow something else.
func (d *door) still(r *http.Request, caller plugin.Caller) func() error {
	shown := &http.Request{Header: r.Header, TLS: r.TLS, RemoteAddr: r.RemoteAddr}
	return func() error {
		now, err := d.authenticate(shown)
		if err == nil && (!now.Same(caller) || !slices.Equal(now.Scopes, caller.Scopes)) {
			err = errors.New("the credentials allow something else now")
		}
		return err
	}
}

// Recheck asks again about all who have shown credentials, and closes the
// connections of those that are not taken any more: after a token was removed,
// and now and then, since tokens and certificates expire. It may wait for
// whoever authenticates.
func (s *Server) Recheck() { s.ws.Recheck() }
