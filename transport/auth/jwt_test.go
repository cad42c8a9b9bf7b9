// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

func TestJWT(t *testing.T) {
	signer := newIssuer(t)
	j := signer.jwt(t, Config{JWT: JWTConfig{Issuer: "https://issuer.example"}})
	good := claimsOf(nil)
	alice := plugin.Caller{Name: "alice", Means: "jwt", Scopes: []string{"registry:read", "registry:write:team-a-*"}}
	for name, token := range map[string]string{
		"RS256":           signer.sign(t, nil),
		"ES256":           signed(t, jose.ES256, signer.ec, good, map[string]any{"kid": "ec"}),
		"EdDSA":           signed(t, jose.EdDSA, signer.ed, good, map[string]any{"kid": "ed"}),
		"no id, one fits": signed(t, jose.EdDSA, signer.ed, good, nil),
		"a type":          signed(t, jose.EdDSA, signer.ed, good, map[string]any{"typ": "at+JWT"}),
		"audiences":       signer.sign(t, map[string]any{"aud": []string{"other", "plexus"}}),
		"a list":          signer.sign(t, map[string]any{"scope": nil, "scopes": []string{"registry:read", "registry:write:team-a-*"}}),
		"scp":             signer.sign(t, map[string]any{"scope": "registry:read", "scp": []string{"registry:read", "registry:write:team-a-*"}}),
		"foreign scopes":  signer.sign(t, map[string]any{"scope": "registry:read a::b :", "scp": "registry:write:team-a-*", "scopes": []string{""}}),
		"early clock":     signer.sign(t, map[string]any{"iat": time.Now().Add(50 * time.Second).Unix(), "nbf": time.Now().Add(50 * time.Second).Unix()}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []*http.Request{bearing(token), request("Cookie", "access_token="+token), request("X-Plexus-API-Key", token),
				request("Sec-WebSocket-Protocol", "plexus, plexus.bearer."+encoded(token))} {
				if got, err := j.Authenticate(r); err != nil || !reflect.DeepEqual(got, alice) {
					t.Errorf("got %+v, %v", got, err)
				}
			}
		})
	}
	got, err := j.Authenticate(bearing(signer.sign(t, map[string]any{"scope": nil})))
	if err != nil || got.Scopes != nil {
		t.Errorf("without scopes: got %+v, %v", got, err)
	}
	j = signer.jwt(t, Config{JWT: JWTConfig{ScopePrefix: "registry:"}})
	got, err = j.Authenticate(bearing(signer.sign(t, map[string]any{"scope": "* openid registry registry:read registry:*"})))
	if err != nil || !slices.Equal(got.Scopes, []string{"registry:read", "registry:*"}) {
		t.Errorf("with a prefix: got %+v, %v", got, err)
	}
}

func TestForgedJWTsAreRefused(t *testing.T) {
	signer, stranger := newIssuer(t), newIssuer(t)
	j := signer.jwt(t, Config{JWT: JWTConfig{Issuer: "https://issuer.example"}})
	good, kid := claimsOf(nil), map[string]any{"kid": "rsa"}
	token := signer.sign(t, nil)
	header, rest, _ := strings.Cut(token, ".")
	der, err := x509.MarshalPKIXPublicKey(signer.rsa.Public())
	must(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	recipient := jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: signer.rsa.Public(), KeyID: "rsa"}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, recipient, nil)
	must(t, err)
	encrypted, err := encrypter.Encrypt(good)
	must(t, err)
	jwe, err := encrypted.CompactSerialize()
	must(t, err)
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	doubled := func(extra string) string {
		return signed(t, jose.RS256, signer.rsa, append(bytes.TrimSuffix(good, []byte("}")), (","+extra+"}")...), kid)
	}
	changed := func(claim string, value any) string { return signer.sign(t, map[string]any{claim: value}) }
	withHeader := func(name string, value any) string {
		return signed(t, jose.RS256, signer.rsa, good, map[string]any{"kid": "rsa", name: value})
	}

	for name, c := range map[string]struct{ token, text string }{
		"alg none":               {unsigned(`{"alg":"none","kid":"rsa"}`, string(good), ""), "algorithm"},
		"alg None":               {unsigned(`{"alg":"None","kid":"rsa"}`, string(good), "x"), "algorithm"},
		"alg is missing":         {unsigned(`{"kid":"rsa"}`, string(good), "x"), "algorithm"},
		"alg twice":              {unsigned(`{"alg":"none","alg":"RS256","kid":"rsa"}`, string(good), "x"), "invalid protected header"},
		"alg in another case":    {unsigned(`{"alg":"rs256","kid":"rsa"}`, string(good), "x"), "algorithm"},
		"HS256 of the PEM":       {signed(t, jose.HS256, public, good, kid), "algorithm"},
		"HS256 of the DER":       {signed(t, jose.HS256, der, good, kid), "algorithm"},
		"HS256 of the modulus":   {signed(t, jose.HS256, signer.rsa.N.Bytes(), good, kid), "algorithm"},
		"PS256 is not allowed":   {signed(t, jose.PS256, signer.rsa, good, kid), "algorithm"},
		"RS512 is not allowed":   {signed(t, jose.RS512, signer.rsa, good, kid), "algorithm"},
		"another's key":          {signed(t, jose.RS256, stranger.rsa, good, kid), ""},
		"an unknown kid":         {signed(t, jose.RS256, signer.rsa, good, map[string]any{"kid": "other"}), "no such key"},
		"a kid of another":       {signed(t, jose.RS256, signer.rsa, good, map[string]any{"kid": "ec"}), "no such key"},
		"a long kid":             {signed(t, jose.RS256, signer.rsa, good, map[string]any{"kid": strings.Repeat("k", 1000)}), "no such key"},
		"a key brought along":    {signed(t, jose.RS256, stranger.rsa, good, map[string]any{"kid": "mine", "jwk": jose.JSONWebKey{Key: stranger.rsa.Public()}}), "no such key"},
		"that and our kid":       {signed(t, jose.RS256, stranger.rsa, good, map[string]any{"kid": "rsa", "jwk": jose.JSONWebKey{Key: stranger.rsa.Public()}}), ""},
		"critical extensions":    {withHeader("crit", []string{"exp"}), "critical"},
		"b64 that is critical":   {withHeader("crit", []string{"b64"}), "critical"},
		"another type":           {withHeader("typ", "logout+jwt"), `type is "logout+jwt"`},
		"a type of no text":      {withHeader("typ", 1), "type"},
		"no signature":           {token[:strings.LastIndex(token, ".")+1], ""},
		"a part of it":           {token[:len(token)-8], ""},
		"other claims":           {header + "." + strings.SplitN(changed("sub", "root"), ".", 3)[1] + "." + strings.SplitN(token, ".", 3)[2], ""},
		"another header":         {strings.TrimSuffix(unsigned(`{"alg":"RS256","kid":"rsa","x":1}`, "", ""), "..") + "." + rest, ""},
		"two parts":              {"e30.e30", "three parts"},
		"four parts":             {token + ".e30", "three parts"},
		"dots":                   {"..", ""},
		"many dots":              {strings.Repeat(".", maxSecretBytes), "three parts"},
		"base64 with padding":    {strings.Replace(token, ".", "=.", 1), ""},
		"JSON serialization":     {`{"payload":"e30","protected":"e30","signature":"e.30"}`, ""},
		"encrypted":              {jwe, "encrypted"},
		"huge":                   {changed("x", strings.Repeat("x", maxSecretBytes)), "longer than 4096"},
		"deep":                   {unsigned(`{"alg":"RS256","kid":"rsa","x":`+strings.Repeat("[", 2000), "{}", "x"), ""},
		"another issuer":         {changed("iss", "https://other.example"), `issuer is "https://other.example"`},
		"no issuer":              {changed("iss", nil), `issuer is ""`},
		"another audience":       {changed("aud", "other"), `audience is ["other"]`},
		"audiences of others":    {changed("aud", []string{"Plexus", "plexus2", ""}), "audience"},
		"no audience":            {changed("aud", nil), "audience"},
		"an audience of no text": {changed("aud", 7), ""},
		"expired":                {changed("exp", in(-time.Second)), "expired at"},
		"expires now":            {changed("exp", in(0)), "expired at"},
		"no exp":                 {changed("exp", nil), "never expires"},
		"exp null":               {signed(t, jose.RS256, signer.rsa, bytes.Replace(good, []byte(`"exp":`), []byte(`"exp":null,"y":`), 1), kid), "never expires"},
		"exp as text":            {changed("exp", fmt.Sprint(in(time.Hour))), ""},
		"exp beyond all":         {signed(t, jose.RS256, signer.rsa, bytes.Replace(good, []byte(`"exp":`), []byte(`"exp":1e300,"y":`), 1), kid), ""},
		"exp in another case":    {signed(t, jose.RS256, signer.rsa, bytes.Replace(good, []byte(`"exp"`), []byte(`"Exp"`), 1), kid), "never expires"},
		"not yet":                {changed("nbf", in(2*time.Minute)), "not valid yet"},
		"issued later":           {changed("iat", in(2*time.Minute)), "issued in the future"},
		"sub twice":              {doubled(`"sub":"root"`), "duplicate"},
		"exp twice":              {doubled(`"exp":9999999999`), "duplicate"},
		"aud twice":              {doubled(`"aud":"other"`), "duplicate"},
		"scope twice":            {doubled(`"scope":"*"`), "duplicate"},
		"scopes of numbers":      {changed("scopes", []int{1}), "neither"},
		"no sub":                 {changed("sub", nil), "subject is empty"},
		"an empty sub":           {changed("sub", ""), "subject is empty"},
		"a sub with a control":   {changed("sub", "a\r\nb"), "printable"},
		"a sub that turns":       {changed("sub", "a\u202eb"), "printable"},
		"a long sub":             {changed("sub", strings.Repeat("x", 257)), "longer than 256"},
		"a sub of no text":       {changed("sub", 7), ""},
		"no claims":              {signed(t, jose.RS256, signer.rsa, []byte("null"), kid), ""},
		"a list of claims":       {signed(t, jose.RS256, signer.rsa, []byte("[]"), kid), ""},
		"more after the claims":  {signed(t, jose.RS256, signer.rsa, append(slices.Clone(good), good...), kid), ""},
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := j.Authenticate(bearing(c.token))
			fails(t, err, nil, c.text)
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if !reflect.DeepEqual(caller, plugin.Caller{}) {
				t.Errorf("got %+v beside the error", caller)
			}
		})
	}
	_, err = j.Authenticate(bearing("plx_x"))
	fails(t, err, errKind, "")
	_, err = j.Authenticate(request())
	fails(t, err, transport.ErrNoCredentials, "")
	if _, err := j.Authenticate(bearing(token)); err != nil {
		t.Errorf("the token that the attacks are made of: %v", err)
	}
}

func TestAJWTIsValidUntilTheMomentThatItNames(t *testing.T) {
	signer := newIssuer(t)
	j := signer.jwt(t, Config{})
	synctest.Test(t, func(t *testing.T) {
		token := signer.sign(t, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		for i, wait := range []time.Duration{time.Hour - 1, 1} {
			time.Sleep(wait)
			if _, err := j.Authenticate(bearing(token)); (err == nil) != (i == 0) {
				t.Errorf("at %v: %v", time.Now(), err)
			}
		}
	})
}

func TestJWTConfigsThatAreRefused(t *testing.T) {
	signer := newIssuer(t)
	keys := func(text string) string {
		path := filepath.Join(t.TempDir(), "keys.json")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := keys(jwks(t, signer.public()...))
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	for name, c := range map[string]struct {
		config JWTConfig
		text   string
	}{
		"nothing":         {JWTConfig{}, "path of the file is missing"},
		"no audience":     {JWTConfig{JWKS: good}, "audience"},
		"HS256":           {JWTConfig{JWKS: good, Audience: "a", Algorithms: []string{"RS256", "HS256"}}, `"HS256"`},
		"none":            {JWTConfig{JWKS: good, Audience: "a", Algorithms: []string{"none"}}, `"none"`},
		"no algorithms":   {JWTConfig{JWKS: good, Audience: "a", Algorithms: []string{}}, "no algorithm"},
		"no JWKS":         {JWTConfig{JWKS: "none.json", Audience: "a"}, "cannot be read"},
		"http":            {JWTConfig{JWKS: "http://issuer.example/keys", Audience: "a"}, "not https"},
		"like loopback":   {JWTConfig{JWKS: "http://localhost.issuer.example/keys", Audience: "a"}, "not https"},
		"another scheme":  {JWTConfig{JWKS: "file:///etc/keys", Audience: "a"}, "not https"},
		"a password":      {JWTConfig{JWKS: "https://u:secret@issuer.example/keys", Audience: "a"}, "user or password"},
		"a broken URL":    {JWTConfig{JWKS: "https://u:secret@%zz/keys", Audience: "a"}, "parsed"},
		"no JSON":         {JWTConfig{JWKS: keys("keys"), Audience: "a"}, "not a JWKS"},
		"no keys":         {JWTConfig{JWKS: keys("{}"), Audience: "a"}, "none of its 0 keys"},
		"too many keys":   {JWTConfig{JWKS: keys(`{"keys":[` + strings.Repeat("1,", maxKeys) + "1]}"), Audience: "a"}, "more than 100"},
		"useless keys":    {JWTConfig{JWKS: keys(`{"keys":[1, {}, {"kty":"new"}]}`), Audience: "a"}, "none of its 3 keys"},
		"keys twice":      {JWTConfig{JWKS: keys(`{"keys":[], "keys":[]}`), Audience: "a"}, "duplicate"},
		"deep JSON":       {JWTConfig{JWKS: keys(`{"keys":[` + strings.Repeat("[", maxFileBytes-100)), Audience: "a"}, "not a JWKS"},
		"a deep key":      {JWTConfig{JWKS: keys(`{"keys":[{"kty":` + strings.Repeat("[", maxFileBytes/2-100) + strings.Repeat("]", maxFileBytes/2-100) + "}]}"), Audience: "a"}, "max depth"},
		"a private key":   {JWTConfig{JWKS: keys(jwks(t, jose.JSONWebKey{Key: signer.ed})), Audience: "a"}, "key 1 is secret"},
		"a shared secret": {JWTConfig{JWKS: keys(jwks(t, append(signer.public(), jose.JSONWebKey{Key: []byte("secret")})...)), Audience: "a"}, "key 4 is secret"},
		"a small key":     {JWTConfig{JWKS: keys(jwks(t, jose.JSONWebKey{Key: small.Public()})), Audience: "a"}, "none of its 1 keys"},
		"one to encrypt":  {JWTConfig{JWKS: keys(jwks(t, jose.JSONWebKey{Key: signer.rsa.Public(), Use: "enc"})), Audience: "a"}, "none of its 1 keys"},
		"something huge":  {JWTConfig{JWKS: keys(strings.Repeat(" ", maxFileBytes+1)), Audience: "a"}, "larger than"},
	} {
		if _, err := New(Config{JWT: c.config}); err == nil || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "u:secret") {
			t.Errorf("%s: got %v, want %q", name, err, c.text)
		}
	}
}

func TestKeysOfAnIssuer(t *testing.T) {
	signer := newIssuer(t)
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	text := strings.Replace(jwks(t, append(signer.public(),
		jose.JSONWebKey{KeyID: "large", Key: large.Public()}, jose.JSONWebKey{KeyID: "pinned", Key: signer.rsa.Public(), Algorithm: "RS256"},
		jose.JSONWebKey{KeyID: "twice", Key: signer.ed.Public()}, jose.JSONWebKey{KeyID: "twice", Key: signer.ed.Public()},
		jose.JSONWebKey{KeyID: "both", Key: signer.ed.Public()}, jose.JSONWebKey{KeyID: "both", Key: signer.rsa.Public()},
	)...), `"keys":[`, `"keys":[{"kty":"new"},`, 1)
	set, passed, err := parseKeys([]byte(text))
	if err != nil || passed != 1 || len(set) != 9 {
		t.Fatalf("got %d keys and %d, %v", len(set), passed, err)
	}
	for _, c := range []struct {
		id        string
		algorithm jose.SignatureAlgorithm
		want      string // of the error
	}{
		{"rsa", jose.RS256, ""}, {"rsa", jose.PS512, ""}, {"rsa", jose.ES256, "no such key"}, {"rsa", jose.HS256, "no such key"},
		{"pinned", jose.RS256, ""}, {"pinned", jose.PS256, "no such key"},
		{"ec", jose.ES256, ""}, {"ec", jose.ES384, "no such key"}, {"", jose.ES256, ""},
		{"large", jose.ES384, ""}, {"large", jose.ES256, "no such key"},
		{"ed", jose.EdDSA, ""}, {"ed", jose.RS256, "no such key"}, {"ED", jose.EdDSA, "no such key"},
		{"twice", jose.EdDSA, "several keys"}, {"", jose.EdDSA, "several keys"},
		{"both", jose.EdDSA, ""}, {"both", jose.RS256, ""}, {"new", jose.RS256, "no such key"},
	} {
		key, err := set.find(c.id, c.algorithm)
		if c.want == "" && (err != nil || key == nil) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %T, %v", c, key, err)
		}
	}
}

func TestKeyFileIsReloaded(t *testing.T) {
	t.Parallel()
	before, after := newIssuer(t), newIssuer(t)
	path := filepath.Join(t.TempDir(), "keys.json")
	var log testkit.Log
	j := before.jwt(t, Config{JWT: JWTConfig{JWKS: path}, Log: log.Logger()})
	follow(t, j.Run)
	accepts := func(i *issuer) bool {
		_, err := j.Authenticate(bearing(i.sign(t, nil)))
		return err == nil
	}
	if !accepts(before) || accepts(after) {
		t.Error("not the keys that are in the file")
	}
	must(t, os.WriteFile(path, []byte("{"), 0o600))
	testkit.Eventually(t, "an error about a broken file", func() bool { return strings.Contains(log.String(), "stay in use") })
	if !accepts(before) {
		t.Error("a broken file takes keys away")
	}
	must(t, os.WriteFile(path, []byte(jwks(t, after.public()...)), 0o600))
	testkit.Eventually(t, "the new keys", func() bool { return accepts(after) })
	if accepts(before) {
		t.Error("the old keys are still good")
	}
}
