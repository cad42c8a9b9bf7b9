// SPDX-License-Identifier: AGPL-3.0-only

// Package auth finds out who sends a request for an upgrade, before that is
// granted.
//
// An [Authenticator] looks at the request and names the caller. There are three:
// [Tokens], secrets that a file lists by their hashes; [JWT], tokens that somebody
// else has signed; and [Tokens.Certificates], verified client certificates whose
// scopes the same file lists. [Any] joins them into one. [Refuse] answers whom none
// of them lets in.
//
// Secrets come in one of four places: the header Authorization (Bearer), the
// header X-Plexus-API-Key, the cookie access_token, and for browsers, whose
// scripts can set no header, a WebSocket subprotocol. The scripts offer
//
//	plexus, plexus.bearer.<the secret in base64url, without padding>
//
// and the server must answer with [Subprotocol] and nothing else: what it
// answers is read, and kept, by more eyes than what it was asked. A request with
// secrets in two places is refused, whatever they are.
//
// A browser sends a cookie for every page that asks it to. So where cookies are
// taken, the check of the header Origin is what keeps strange pages out.
//
// Credentials may end while a connection lives: tokens are removed, tokens and
// certificates expire. Authenticate may be asked again at any time with a request
// that holds no more than Header and TLS of the one that came first.
package auth
