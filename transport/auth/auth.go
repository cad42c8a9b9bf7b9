// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// Config says which credentials are accepted.
type Config struct {
	// Tokens is the path of the token file, a regular file of up to 1 MiB;
	// empty: no tokens are accepted.
	Tokens string
	// Certificates says that the client certificates that the server's TLS has
	// verified are accepted, with the scopes that the token file gives them.
	Certificates bool
	// JWT says which JWTs are accepted; with an empty JWKS, none are.
	JWT JWTConfig
	// Log is for what happens to the files and keys; with nil, nothing is logged.
	Log *slog.Logger
}

// Authenticator authenticates callers by tokens, JWTs and client certificates. Make
// it with [New].
type Authenticator struct {
	tokens       *tokenFile // nil: not accepted
	certificates bool
	jwts         *jwts // nil: not accepted
}

// New reads the token file, and the keys of JWTs if they are in a file. Those at a
// URL are fetched by [Authenticator.Run], or with the first JWT, so that a program
// starts without its issuer. The error names the file, and the line if it is about
// one.
func New(config Config) (*Authenticator, error) {
	a := &Authenticator{certificates: config.Certificates}
	log := cmp.Or(config.Log, slog.New(slog.DiscardHandler))
	if config.Tokens == "" && (config.Certificates || config.JWT.JWKS == "") {
		return nil, errors.New("tokens: the path of the file is missing")
	}
	var err error
	if config.Tokens != "" {
		if a.tokens, err = openTokens(config.Tokens, log); err != nil {
			return nil, err
		}
	}
	if config.JWT.JWKS != "" {
		a.jwts, err = newJWTs(config.JWT, log)
	}
	return a, err
}

// Run reads files again when they have changed, and fetches keys from a URL every
// 15 minutes, until ctx is done. It calls changed after that. The server of
// [Authenticator.Option] runs it. A file that is broken, missing or empty changes
// nothing, which is logged once: to remove the last token, write token = []. Keys
// that can't be fetched stay in use for a day.
func (a *Authenticator) Run(ctx context.Context, changed func()) {
	var running sync.WaitGroup
	if a.tokens != nil {
		running.Go(func() { a.tokens.run(ctx, changed) })
	}
	if a.jwts != nil {
		running.Go(func() { a.jwts.keys.run(ctx, changed) })
	}
	running.Wait()
}

// Warnings returns what is wrong with the files and keys at the moment, each in a
// text of one line: a file that can't be read or has a mistake, one that others may
// read, keys that can't be fetched. Meanwhile the former content stays in use.
func (a *Authenticator) Warnings() (all []string) {
	if a.tokens != nil {
		all = a.tokens.warnings()
	}
	if a.jwts != nil {
		if err := a.jwts.keys.problem(); err != nil {
			all = append(all, fmt.Sprintf("the former signing keys stay in use: %v", err))
		}
	}
	return all
}

// Authenticate returns who makes a request, by what New and Run have read. Means is
// "token", "jwt" or "certificate". If the request carries a secret, a certificate does not count,
// even if the secret is wrong. Credentials of a kind that is not accepted are wrong
// as well.
//
// A JWT with an unknown key makes it fetch the keys from their URL, once in 30
// seconds, and for up to 5.
func (a *Authenticator) Authenticate(r *http.Request) (plugin.Caller, error) {
	secret, err := secretOf(r.Header)
	isJWT := strings.Contains(secret, ".") // a token has no dot
	switch {
	case errors.Is(err, transport.ErrNoCredentials) && a.certificates:
		return a.tokens.authenticateCertificate(r.TLS)
	case err != nil:
		return plugin.Caller{}, err
	case isJWT && a.jwts != nil:
		return a.jwts.authenticate(r.Context(), secret)
	case !isJWT && a.tokens != nil:
		return a.tokens.authenticate(secret)
	}
	return plugin.Caller{}, errKind
}

// errKind is the error for credentials of a kind that is not accepted.
var errKind = errors.New("credentials of a kind that is not accepted here")

// Option makes a server authenticate its callers by a, keep that current by
// [Authenticator.Run], and list in the hub's _info how to authenticate:
//
//	transport.New(h, a.Option())
func (a *Authenticator) Option() transport.Option {
	return func(s *transport.Server) {
		transport.WithAuthentication(a.Authenticate, a.Run)(s)
		transport.WithMechanisms("bearer")(s) // as tokens and JWTs are sent
	}
}
