// SPDX-License-Identifier: AGPL-3.0-only

// Package auth authenticates the clients of a server, when they ask for a
// connection:
//
//	a, err := auth.New(auth.Config{Tokens: "tokens.toml", Log: log})
//	…
//	server := transport.New(h, a.Option())
//
// An [Authenticator] (auth.go) knows three ways: secrets that a file lists by their
// hashes (tokens.go, parse.go, edit.go); JWTs, tokens that an issuer has signed
// (jwt.go, keys.go); and client certificates that TLS has verified (certificate.go),
// whose scopes the same file lists:
//
//	[[token]]
//	name = "ci"
//	hash = "sha256:…"                    # of the token
//	scopes = ["registry:read", "registry:write:team-a-*"]
//	expires = 2030-01-31T12:00:00Z       # optional
//	description = "the build server"     # optional
//
//	[[certificate]]
//	name = "spiffe://example.org/web"    # the first URI, else the first DNS name, else the common name
//	scopes = ["registry:read"]
//
// To join it with a way of your own, give [transport.WithAuthentication] a function
// that tries yours first, and then [Authenticator.Authenticate]; and
// [Authenticator.Run].
//
// A secret comes in one of four places (credentials.go): the header Authorization
// (Bearer), the header X-Plexus-API-Key, the cookie access_token, and for
// browsers, whose scripts can't set headers, a WebSocket subprotocol. The scripts
// offer
//
//	plexus, plexus.bearer.<the secret in base64url, without padding>
//
// and the server answers with plexus alone, since answers are logged in more
// places than requests. A request with secrets in two places is refused, whatever
// they are.
//
// A browser sends a cookie for every page that asks it to. So where cookies are
// accepted, the check of the header Origin is what keeps other pages out.
//
// Credentials may become invalid while a connection is open: a token is removed,
// a token or certificate expires. So the server authenticates every caller again
// every 30 seconds, and when [Authenticator.Run] reports a change.
package auth
