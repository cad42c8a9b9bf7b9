// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer signs tokens for alice, with keys of three kinds.
type issuer struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
	ed  ed25519.PrivateKey
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	var i issuer
	var err error
	i.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	_, i.ed, err = ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return &i
}

// public returns its public keys.
func (i *issuer) public() []jose.JSONWebKey {
	return []jose.JSONWebKey{
		{KeyID: "rsa", Use: "sig", Key: i.rsa.Public()},
		{KeyID: "ec", Key: i.ec.Public(), Algorithm: "ES256"},
		{KeyID: "ed", Key: i.ed.Public()},
	}
}

// jwks returns a file of keys.
func jwks(t testing.TB, keys ...jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	must(t, err)
	return string(text)
}

// jwt accepts its tokens, as the configuration says.
func (i *issuer) jwt(t testing.TB, config Config) *Authenticator {
	t.Helper()
	config.JWT.JWKS = cmp.Or(config.JWT.JWKS, filepath.Join(t.TempDir(), "keys.json"))
	config.JWT.Audience = "plexus"
	must(t, os.WriteFile(config.JWT.JWKS, []byte(jwks(t, i.public()...)), 0o600))
	j, err := New(config)
	must(t, err)
	return j
}

// claimsOf returns valid claims with changes; nil removes one.
func claimsOf(changes map[string]any) []byte {
	all := map[string]any{
		"iss": "https://issuer.example", "aud": "plexus", "sub": "alice",
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "scope": "registry:read registry:write:team-a-*",
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	text, _ := json.Marshal(all) // of plain values
	return text
}

// sign signs valid claims with changes, with RS256.
func (i *issuer) sign(t testing.TB, changes map[string]any) string {
	t.Helper()
	return signed(t, jose.RS256, i.rsa, claimsOf(changes), map[string]any{"kid": "rsa"})
}

// signed signs a text.
func signed(t testing.TB, algorithm jose.SignatureAlgorithm, key any, text []byte, header map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	must(t, err)
	object, err := signer.Sign(text)
	must(t, err)
	compact, err := object.CompactSerialize()
	must(t, err)
	return compact
}

// unsigned returns a JWT of these three parts.
func unsigned(header, claims, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(claims)) + "." + encode([]byte(signature))
}
