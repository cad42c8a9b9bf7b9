// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/plexus-go/plexus/plugin"
)

// Authenticate returns the caller of a request, by its headers or its TLS
// certificate. The error is [ErrNoCredentials] for a request without credentials.
// With any other error the credentials are wrong: the error is logged, and the
// client does not see it. A caller without name, means and scopes has proved
// nothing, and counts as one without credentials.
//
// It is called by many goroutines at once, with a context that ends after
// [Limits].HandshakeTimeout. While the connection is open, it is called again with
// a request that has only Header, TLS and RemoteAddr of the first: every 30
// seconds, since credentials expire, and when they have changed. RemoteAddr is the
// peer's, which may be a proxy.
type Authenticate func(*http.Request) (plugin.Caller, error)

// ErrNoCredentials is the error of [Authenticate] for a request that carries no
// credentials.
var ErrNoCredentials = errors.New("no credentials")

// errNobody is logged where a caller is refused that has proved nothing.
var errNobody = fmt.Errorf("%w: the caller has no name, no means and no scopes", ErrNoCredentials)

// WithAuthentication accepts only callers that authenticate returns, and those
// without credentials where [WithAnonymous] accepts them. Without it, every
// client may do everything, or what WithAnonymous says. For tokens, JWTs and client
// certificates, the Option of an Authenticator of package auth is all that is
// needed.
//
// Each of run keeps credentials current until ctx is done. Serve calls it, and
// waits for its end. It calls changed when credentials may no longer be valid, or
// allow something else: then Serve authenticates the callers of all open
// connections again, and closes those whose credentials fail.
func WithAuthentication(authenticate Authenticate, run ...func(ctx context.Context, changed func())) Option {
	return func(s *Server) {
		if authenticate == nil { // which would be a server without authentication
			s.fail(errors.New("WithAuthentication: no function"))
		}
		s.access.authenticate = authenticate
		s.run = append(s.run, run...)
	}
}

// WithMechanisms sets the kinds of credentials that the hub's _info lists: see
// [hub.Hub.SetMechanisms]. "anonymous" is added where [WithAnonymous]
// accepts callers without.
func WithMechanisms(kinds ...string) Option { return func(s *Server) { s.mechanisms = kinds } }

// WithAnonymous accepts clients without credentials, and gives them these
// scopes; with none, they can do what needs no scope. Wrong credentials are
// refused all the same.
func WithAnonymous(scopes ...string) Option {
	return func(s *Server) { s.access.anonymous = &plugin.Caller{Scopes: scopes} }
}

// callerOf returns who makes a request, or why it is rejected.
func (a *accessControl) callerOf(r *http.Request, from source) (plugin.Caller, reason, error) {
	caller, err := plugin.Caller{}, ErrNoCredentials
	if a.authenticate != nil {
		caller, err = a.authenticateInTime(r)
	}
	if err == nil && caller.Name == "" && caller.Means == "" && caller.Scopes == nil {
		err = errNobody
	}
	switch {
	case err == nil:
		connOf(r).recheck = a.recheck(r, caller)
	case !errors.Is(err, ErrNoCredentials):
		a.rates.charge(from.limited)
		return plugin.Caller{}, wrongCredentials, err
	case from.proxied != "" && !from.trusted && !a.insecure && !a.authenticates():
		// It comes from elsewhere, and may not do what a program of this machine may.
		if a.authenticate != nil {
			return plugin.Caller{}, noCredentials, nil
		}
		return plugin.Caller{}, otherProxy, fmt.Errorf("header %s", from.proxied)
	case a.anonymous != nil:
		caller = *a.anonymous
	case a.authenticate == nil:
		caller = plugin.Caller{Scopes: []string{"*"}}
	default:
		return plugin.Caller{}, noCredentials, err
	}
	caller.Remote = from.remote
	return caller, none, nil
}

// authenticates reports whether callers must authenticate before they may do
// everything.
func (a *accessControl) authenticates() bool {
	return a.authenticate != nil && (a.anonymous == nil || !a.anonymous.May("*"))
}

// authenticateInTime authenticates a request within the time for the handshake.
func (a *accessControl) authenticateInTime(r *http.Request) (plugin.Caller, error) {
	ctx, cancel := context.WithTimeout(r.Context(), a.limits.HandshakeTimeout)
	defer cancel()
	return a.authenticate(r.WithContext(ctx))
}

// recheck returns a function that authenticates a request again. Its error says
// why the connection must close: the credentials are no longer valid, or allow
// something else.
func (a *accessControl) recheck(r *http.Request, caller plugin.Caller) func() error {
	first := &http.Request{Header: r.Header, TLS: r.TLS, RemoteAddr: r.RemoteAddr}
	return func() error {
		now, err := a.authenticateInTime(first)
		if err == nil && (!now.Same(caller) || !slices.Equal(now.Scopes, caller.Scopes)) {
			err = errors.New("the credentials allow something else now")
		}
		return err
	}
}
