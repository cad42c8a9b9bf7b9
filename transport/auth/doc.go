// SPDX-License-Identifier: AGPL-3.0-only

// Package auth authenticates the clients of a server, when they ask for a
// connection:
//
//	tokens, err := auth.OpenTokens("tokens.toml", log)
//	…
//	server := transport.New(h, transport.WithAuthentication(tokens.Authenticate, tokens.Run))
//
// There are three ways: [Tokens], secrets that a file lists by their hashes
// (tokens.go, parse.go, add.go); [JWT], tokens that an issuer has signed (jwt.go,
// keys.go); and [Tokens.AuthenticateCertificate], client certificates that TLS has
// verified, and whose scopes the same file lists. [Any] joins them.
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
// every 30 seconds, and when [Tokens.Run] or [JWT.Run] reports a change.
package auth
