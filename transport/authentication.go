// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/plexus-go/plexus/plugin"
)

// Authenticate returns the caller of a request, by its headers or its TLS
// certificate. The error is [ErrNoCredentials] for a request without credentials;
// a caller without name, means and scopes says the same. With any other error
// the credentials are wrong: the error is logged, and the client does not see it.
//
// It is called by many goroutines at once, with a context that ends with the time
// for the handshake, and again while the connection is open (see
// [Server.Recheck]), with a request that has only Header, TLS and RemoteAddr of
// the first. RemoteAddr is the peer's, which may be a proxy.
type Authenticate func(*http.Request) (plugin.Caller, error)

// ErrNoCredentials is the error of [Authenticate] for a request that carries no
// credentials.
var ErrNoCredentials = errors.New("no credentials")

// WithAuthentication accepts only callers that authenticate returns, and those
// without credentials where [WithAnonymous] accepts them. Without it, every
// client may do everything, or what WithAnonymous says.
func WithAuthentication(authenticate Authenticate) Option {
	return func(s *Server) { s.access.authenticate = authenticate }
}

// WithAnonymous accepts clients without credentials, and gives them these
// scopes; with none, they can do what needs no scope. Wrong credentials are
// refused all the same.
func WithAnonymous(scopes ...string) Option {
	return func(s *Server) { s.access.anonymous = &plugin.Caller{Scopes: scopes} }
}

// callerOf returns who makes a request, or why it is rejected.
func (a *accessControl) callerOf(r *http.Request, from source) (plugin.Caller, *refusal) {
	var caller plugin.Caller
	if a.authenticate != nil {
		ctx := r.Context()
		if a.limits.HandshakeTimeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, a.limits.HandshakeTimeout)
			defer cancel()
		}
		var err error
		caller, err = a.authenticate(r.WithContext(ctx))
		if errors.Is(err, ErrNoCredentials) {
			caller, err = plugin.Caller{}, nil
		}
		if err != nil {
			a.rates.charge(from.limited)
			return plugin.Caller{}, &refusal{reason: wrongCredentials, cause: err}
		}
	}
	if caller.Name == "" && caller.Means == "" && caller.Scopes == nil {
		switch {
		case a.anonymous != nil:
			caller = *a.anonymous
		case a.authenticate == nil:
			caller.Scopes = []string{"*"}
		default:
			return plugin.Caller{}, &refusal{reason: wrongCredentials, text: "Credentials are needed."}
		}
	}
	caller.Remote = from.remote
	return caller, nil
}

// recheck returns a function that authenticates a request again. Its error says
// why the connection must close: the credentials are no longer valid, or allow
// something else.
func (a *accessControl) recheck(r *http.Request, caller plugin.Caller) func() error {
	first := &http.Request{Header: r.Header, TLS: r.TLS, RemoteAddr: r.RemoteAddr}
	return func() error {
		now, err := a.authenticate(first)
		if err == nil && (!now.Same(caller) || !slices.Equal(now.Scopes, caller.Scopes)) {
			err = errors.New("the credentials allow something else now")
		}
		return err
	}
}

// Recheck authenticates all callers with credentials again, and closes the
// connections of those whose credentials are no longer valid. Call it when a
// token was removed, and regularly, since tokens and certificates expire. It
// waits for [Authenticate].
func (s *Server) Recheck() { s.ws.Recheck() }
