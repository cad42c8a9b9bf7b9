// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // refuses a key that is there twice
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plexus-go/plexus/plugin"
)

// JWTConfig says which tokens are accepted.
type JWTConfig struct {
	// JWKS is where the issuer's public keys are: the path of a file, or a URL,
	// https://… or http://… on this machine. Redirects are not followed.
	JWKS string
	// Issuer is what iss must be. Empty: any, as the keys are the issuer's.
	Issuer string
	// Audience is what aud must contain. It may not be empty: tokens for other
	// services would be accepted.
	Audience string
	// Algorithms are those of accepted signatures; nil is RS256, ES256 and
	// EdDSA. Possible are RS…, PS… and ES… with 256, 384, 512, and EdDSA.
	Algorithms []string
	// ScopePrefix is how a scope must begin, "registry:" for example; others are
	// ignored. Empty: none are ignored, not even a star.
	ScopePrefix string
}

// jwts authenticates callers by tokens in the compact form of RFC 7519, which an
// issuer has signed. The name is the claim sub, the scopes are those of the claims
// scope, scopes and scp, each a string with spaces between them or a list. A token
// must expire.
type jwts struct {
	config     JWTConfig
	algorithms []jose.SignatureAlgorithm
	keys       keySource
}

func newJWTs(config JWTConfig, log *slog.Logger) (*jwts, error) {
	j := &jwts{config: config}
	if config.Audience == "" {
		return nil, errors.New("JWT: the audience is missing")
	}
	if config.Algorithms == nil {
		config.Algorithms = []string{string(jose.RS256), string(jose.ES256), string(jose.EdDSA)}
	}
	for _, name := range config.Algorithms {
		algorithm := jose.SignatureAlgorithm(name)
		if keyKinds[algorithm] == "" {
			return nil, fmt.Errorf("JWT: the algorithm %.64q is not supported, or not for public keys", name)
		}
		j.algorithms = append(j.algorithms, algorithm)
	}
	if len(j.algorithms) == 0 {
		return nil, errors.New("JWT: no algorithm is allowed")
	}
	var err error
	if strings.Contains(config.JWKS, "://") {
		j.keys, err = newKeyURL(config.JWKS, log)
	} else {
		j.keys, err = openKeyFile(config.JWKS, log)
	}
	if err != nil {
		return nil, fmt.Errorf("JWT: %w", err)
	}
	return j, nil
}

// authenticate returns the caller that a token names.
func (j *jwts) authenticate(ctx context.Context, token string) (plugin.Caller, error) {
	c, err := j.verify(ctx, token)
	if err != nil {
		return plugin.Caller{}, fmt.Errorf("JWT: %w", err)
	}
	if err := j.accept(c); err != nil {
		return plugin.Caller{}, fmt.Errorf("JWT of %.64q: %w", c.Subject, err)
	}
	return plugin.Caller{Name: c.Subject, Means: "jwt", Scopes: j.scopes(c)}, nil
}

// claims are those that are used.
type claims struct {
	jwt.Claims
	Scope  scopeList `json:"scope"`
	Scopes scopeList `json:"scopes"`
	SCP    scopeList `json:"scp"`
}

// scopeList is a list of strings, or one string with spaces between the scopes.
type scopeList []string

// UnmarshalJSON reads either.
func (s *scopeList) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		*s = list
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return errors.New("scopes are neither a string nor a list of strings")
	}
	*s = strings.Fields(text)
	return nil
}

// verify checks the signature, and returns the claims.
func (j *jwts) verify(ctx context.Context, text string) (c claims, err error) {
	if strings.Count(text, ".") == 4 {
		return claims{}, errors.New("it is encrypted, not signed")
	}
	token, err := jwt.ParseSigned(text, j.algorithms)
	if err != nil {
		return claims{}, err
	}
	// The compact form has exactly one header. Critical extensions are not
	// supported, and a key in the token is ignored.
	header := token.Headers[0]
	if _, ok := header.ExtraHeaders["crit"]; ok {
		return claims{}, errors.New("it has critical extensions")
	}
	if kind, ok := header.ExtraHeaders[jose.HeaderType]; ok {
		// An issuer also signs tokens that are not for authentication.
		if name, _ := kind.(string); !slices.Contains([]string{"jwt", "at+jwt"}, strings.TrimPrefix(strings.ToLower(name), "application/")) {
			return claims{}, fmt.Errorf("its type is %.64q", kind)
		}
	}
	key, err := j.keys.find(ctx, header.KeyID, jose.SignatureAlgorithm(header.Algorithm))
	if err != nil {
		return claims{}, err
	}
	if err := token.Claims(key, &c); err != nil {
		return claims{}, err
	}
	return c, nil
}

// leeway is by how much the clock of an issuer may be ahead of ours.
const leeway = time.Minute

// accept checks the claims of a token with a good signature.
func (j *jwts) accept(c claims) error {
	now := time.Now()
	switch {
	case j.config.Issuer != "" && c.Issuer != j.config.Issuer:
		return fmt.Errorf("the issuer is %.64q", c.Issuer)
	case !c.Audience.Contains(j.config.Audience):
		return fmt.Errorf("the audience is %.200q", []string(c.Audience))
	case c.Expiry == nil:
		return errors.New("it never expires")
	case !now.Before(c.Expiry.Time()):
		return fmt.Errorf("it expired at %s", c.Expiry.Time().UTC().Format(time.RFC3339))
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time()):
		return errors.New("it is not valid yet")
	case c.IssuedAt != nil && now.Add(leeway).Before(c.IssuedAt.Time()):
		return errors.New("it was issued in the future")
	}
	if err := checkName(c.Subject); err != nil {
		return fmt.Errorf("the subject %w", err)
	}
	return nil
}

// scopes returns the valid scopes with the prefix. Issuers have many others, of
// other forms.
func (j *jwts) scopes(c claims) (scopes []string) {
	for _, scope := range slices.Concat(c.Scope, c.Scopes, c.SCP) {
		if strings.HasPrefix(scope, j.config.ScopePrefix) && checkScope(scope) == nil && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}
