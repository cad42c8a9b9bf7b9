// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
)

// newToken runs plexus-registry token new, and returns what it prints.
func newToken(t testing.TB, file, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"token", "new", name, "--tokens", file}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("token new %s: %v\n%s", name, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// protected is a registry with every kind of access control. Its files are there
// before it is started.
type protected struct {
	url, folder string
	ca          *testkit.Authority
	signer      jose.Signer
}

func newProtected(t *testing.T) *protected {
	t.Helper()
	p := &protected{folder: t.TempDir(), ca: testkit.NewAuthority(t, "authority")}
	cert, key := p.ca.Pair("localhost")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &private.PublicKey, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": key, "ca.pem": p.ca.PEM(), "keys.json": keys} {
		writeFile(t, p.path(name), string(text))
	}
	p.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	newToken(t, p.path("tokens.toml"), "somebody", "--scope=registry:read")
	return p
}

func (p *protected) start(t *testing.T, args ...string) {
	t.Helper()
	cmd := command(p.folder, append([]string{
		"--tls-cert", p.path("cert.pem"), "--tls-key", p.path("key.pem"), "--tls-client-ca", p.path("ca.pem"),
		"--tokens", p.path("tokens.toml"),
		"--jwt-keys", p.path("keys.json"), "--jwt-audience", "plexus", "--jwt-issuer", "https://id.example",
	}, args...)...)
	p.url = strings.Replace(start(t, cmd).url, "127.0.0.1", "localhost", 1)
}

func (p *protected) path(name string) string { return filepath.Join(p.folder, name) }

// jwt signs a JWT that is valid, but for the claims.
func (p *protected) jwt(t *testing.T, claims object) string {
	t.Helper()
	all := object{"iss": "https://id.example", "aud": "plexus", "sub": "somebody", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	token, err := jwt.Signed(p.signer).Claims(all).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// credentials are what a client sends.
type credentials struct {
	header http.Header
	cert   *tls.Certificate
}

func bearer(secret string) credentials {
	return credentials{header: http.Header{"Authorization": {"Bearer " + secret}}}
}

// dial opens a connection; status is that of a rejection, 0 for none.
func (p *protected) dial(t *testing.T, c credentials) (conn *testkit.Conn, status int) {
	t.Helper()
	config := &tls.Config{RootCAs: p.ca.Pool()}
	if c.cert != nil {
		config.Certificates = []tls.Certificate{*c.cert}
	}
	conn, answer, err := testkit.DialWith(t, &websocket.Dialer{TLSClientConfig: config}, p.url, c.header)
	switch {
	case err == nil:
		return conn, 0
	case answer == nil:
		t.Fatal(err)
	case answer.StatusCode == http.StatusUnauthorized && !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Bearer "):
		t.Error("401 without WWW-Authenticate")
	}
	return nil, answer.StatusCode
}

// code makes a call through the hub and returns the code of its error; empty for
// one that is served.
func code(conn *testkit.Conn, method, params string) string {
	conn.Send(`{"jsonrpc":"2.0","id":1,"method":"registry-hub.call","params":{"method":%q,"params":%s}}`, method, params)
	for subscription := ""; ; {
		frame := conn.Next()
		switch item := frame.Params.Result; {
		case frame.Result != nil:
			subscription = string(frame.Result)
		case subscription == "" || string(frame.Params.Subscription) != subscription: // of another call
		case item.Type == "data", item.Type == "error":
			return item.Code
		}
	}
}

// calls are calls of every method, with the scope that each needs.
var calls = []struct{ method, params, need string }{
	{"registry.get", `{"name":"team-a-1"}`, "registry:read"},
	{"registry.list", `{}`, "registry:read"},
	{"registry.watch", `{}`, "registry:read"},
	{"registry.register", `{"name":"team-a-1","host":"localhost","port":1}`, "registry:write:team-a-1"},
	{"registry.register", `{"name":"beta","host":"localhost","port":1}`, "registry:write:beta"},
	{"registry.update", `{"name":"beta","port":2}`, "registry:write:beta"},
	{"registry.ping", `{"name":"team-a-1"}`, "registry:write:team-a-1"},
	{"registry.ping", `{"name":"beta"}`, "registry:write:beta"},
	{"registry.deregister", `{"name":"beta"}`, "registry:write:beta"},
	{"registry.delete", `{"name":"team-a-1"}`, "registry:write:team-a-1"},
	{"registry.delete", `{"name":"beta"}`, "registry:write:beta"},
	{"registry.reload", `{}`, "registry:admin"},
	{"registry.status", `{}`, "registry:admin"},
	{"registry.schema", `{}`, ""},
}

// identity is who connects: the credentials, and the scopes that they bring; nil
// for credentials that are rejected.
type identity struct {
	credentials
	scopes    []string
	anonymous bool
}

// identities makes credentials of each kind, and of each kind one with each set of
// scopes.
func (p *protected) identities(t *testing.T) map[string]identity {
	all := map[string]identity{
		"nobody":                  {anonymous: true},
		"a wrong token":           {credentials: bearer("plx_wrong")},
		"another scheme":          {credentials: credentials{header: http.Header{"Authorization": {"Basic YTpi"}}}},
		"a JWT of another issuer": {credentials: bearer(p.jwt(t, object{"iss": "https://evil.example"}))},
		"a JWT for another":       {credentials: bearer(p.jwt(t, object{"aud": "other"}))},
		"a JWT that has expired":  {credentials: bearer(p.jwt(t, object{"exp": time.Now().Add(-time.Minute).Unix()}))},
	}
	certificates := "" // the token file lists them, too
	for name, held := range map[string][]string{
		"nothing": {}, "read": {"registry:read"}, "write": {"registry:write"}, "admin": {"registry:admin"},
		"own": {"registry:read", "registry:write:team-a-*"}, "all": {"registry:*"},
	} {
		all["JWT "+name] = identity{credentials: bearer(p.jwt(t, object{"scope": strings.Join(held, " ")})), scopes: held}
		pair := p.ca.Certificate(name + ".client.example")
		all["certificate "+name] = identity{credentials: credentials{cert: &pair}, scopes: held}
		if len(held) == 0 {
			continue
		}
		certificates += fmt.Sprintf("[[certificate]]\nname = %q\nscopes = [\"%s\"]\n", name+".client.example", strings.Join(held, `", "`))
		secret := newToken(t, p.path("tokens.toml"), "token "+name, strings.Fields("--scope="+strings.Join(held, " --scope="))...)
		all["token "+name] = identity{credentials: bearer(secret), scopes: held}
		for header, value := range map[string]string{
			"X-Plexus-Api-Key":       secret,
			"Cookie":                 "access_token=" + secret,
			"Sec-Websocket-Protocol": "plexus, plexus.bearer." + base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			all["token "+name+" in "+header] = identity{credentials: credentials{header: http.Header{header: {value}}}, scopes: held}
		}
	}
	writeFile(t, p.path("tokens.toml"), readText(t, p.path("tokens.toml"))+certificates)
	return all
}

// TestAccessOfEachIdentity tries each kind of credentials with each set of scopes,
// from each kind of origin, on each method.
func TestAccessOfEachIdentity(t *testing.T) {
	t.Parallel()
	for _, anonymous := range []string{"none", "info", "read", "all"} {
		t.Run("anonymous="+anonymous, func(t *testing.T) {
			t.Parallel()
			p := newProtected(t)
			identities := p.identities(t)
			p.start(t, "--anonymous", anonymous, "--allowed-host=proxied.example", "--allowed-origin=https://app.example",
				"--trusted-proxy=127.0.0.1", "--insecure")
			for source, from := range map[string]struct {
				header http.Header
				status int // of every request; 0 where it depends on the credentials
			}{
				"a program":                 {nil, 0},
				"a page of this machine":    {http.Header{"Origin": {"http://localhost:3000"}}, 0},
				"a page that is allowed":    {http.Header{"Origin": {"https://app.example"}}, 0},
				"another page":              {http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
				"a page without an origin":  {http.Header{"Origin": {"null"}}, http.StatusForbidden},
				"a name that was rebound":   {http.Header{"Host": {"evil.example"}}, http.StatusMisdirectedRequest},
				"behind the proxy":          {http.Header{"Host": {"proxied.example"}, "X-Forwarded-For": {"192.0.2.7"}}, 0},
				"behind it, by our address": {http.Header{"X-Forwarded-For": {"192.0.2.7"}}, http.StatusMisdirectedRequest},
			} {
				for name, who := range identities {
					sent := credentials{http.Header{}, who.cert}
					maps.Copy(sent.header, who.header)
					maps.Copy(sent.header, from.header)
					if who.anonymous {
						who.scopes = map[string][]string{"info": {}, "read": {"registry:read"}, "all": {"*"}}[anonymous]
					}
					want := from.status
					if want == 0 && who.scopes == nil {
						want = http.StatusUnauthorized
					}
					conn, status := p.dial(t, sent)
					if status != want {
						t.Errorf("%s, %s: status %d, want %d", source, name, status, want)
					}
					if conn != nil {
						who.checkCalls(t, source+", "+name, conn)
						conn.Close()
					}
				}
			}
		})
	}
}

func (who identity) checkCalls(t *testing.T, what string, conn *testkit.Conn) {
	caller := plugin.Caller{Scopes: who.scopes}
	for _, call := range calls {
		want := ""
		switch {
		case call.need == "" || caller.May(call.need):
		case who.anonymous:
			want = fmt.Sprint(plugin.CodeUnauthenticated)
		default:
			want = fmt.Sprint(plugin.CodeForbidden)
		}
		if got := code(conn, call.method, call.params); got != want {
			t.Errorf("%s: %s of %s: code %q, want %q", what, call.method, call.params, got, want)
		}
	}
}

func readText(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A token is valid soon after it is added to the file, and the connections that
// use it are closed soon after it is removed.
func TestTokenIsAddedAndRemoved(t *testing.T) {
	t.Parallel()
	p := newProtected(t)
	p.start(t, "--anonymous=none")
	before := readText(t, p.path("tokens.toml"))
	secret := newToken(t, p.path("tokens.toml"), "ci", "--scope=registry:write")
	var conn *testkit.Conn
	testkit.Eventually(t, "the token is known", func() bool {
		var status int
		conn, status = p.dial(t, bearer(secret))
		return status == 0
	})
	// _info lists the ways to authenticate.
	var info struct {
		Auth struct {
			Mechanisms json.RawMessage
		} `json:"auth_capabilities"`
	}
	if err := json.Unmarshal(conn.Items("_info", "")[0].Content, &info); err != nil {
		t.Fatal(err)
	}
	// Typed readers drop an _info with a kind or a form that they don't know.
	if want := `[{"kind":"bearer","header":"authorization"}]`; string(info.Auth.Mechanisms) != want {
		t.Errorf("the mechanisms are %s, want %s", info.Auth.Mechanisms, want)
	}
	if got := code(conn, "registry.register", `{"name":"alpha","host":"localhost","port":1}`); got != "" {
		t.Fatal(got)
	}
	writeFile(t, p.path("tokens.toml"), before)
	if code := conn.Closed(); code != websocket.ClosePolicyViolation {
		t.Errorf("closed with %d", code)
	}
	if _, status := p.dial(t, bearer(secret)); status != http.StatusUnauthorized {
		t.Errorf("the removed token is answered with %d", status)
	}
}

// Other machines are served only by somebody who insists, and is warned.
// TestProxiesThatAreNotTrusted: what comes through one is not from a program of
// this machine, which may do everything by default.
func TestProxiesThatAreNotTrusted(t *testing.T) {
	t.Parallel()
	tokens := filepath.Join(t.TempDir(), "tokens.toml")
	secret := newToken(t, tokens, "ci", "--scope=registry:write")
	for _, test := range []struct {
		args              []string
		direct, by, token int // the status of a request, of one by a proxy, and of that with a token; 0 is access
	}{
		{nil, 0, 403, 403},
		{[]string{"--insecure"}, 0, 0, 0},
		{[]string{"--tokens", tokens}, 0, 0, 0},
		{[]string{"--tokens", tokens, "--anonymous=all"}, 0, 401, 0},
		{[]string{"--tokens", tokens, "--anonymous=none"}, 401, 401, 0},
	} {
		p := start(t, command(t.TempDir(), test.args...))
		for header, value := range map[string]string{"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=127.0.0.1", "Via": "1.1 front"} {
			for name, try := range map[string]struct {
				header http.Header
				want   int
			}{
				"directly": {nil, test.direct},
				"by":       {http.Header{header: {value}}, test.by},
				"token by": {http.Header{header: {value}, "Authorization": {"Bearer " + secret}}, test.token},
			} {
				conn, answer, err := testkit.DialWith(t, new(websocket.Dialer), p.url, try.header)
				got := 0
				if err != nil {
					got = answer.StatusCode
				} else {
					conn.Close()
				}
				if got != try.want {
					t.Errorf("%q: %s %s: status %d, want %d", test.args, name, header, got, try.want)
				}
			}
		}
	}
}

func TestExposure(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir(), "--host=0.0.0.0", "--insecure"))
	if p.stderr.Count("insecure") != 1 {
		t.Error("it does not warn, or more than once")
	}
	status := connect(t, p.url).want(t, "status", "registry.status", object{})
	if warnings, _ := status["warnings"].([]any); len(warnings) != 1 {
		t.Errorf("status warns of %v", status["warnings"])
	}
	counters, _ := status["counters"].(object)
	if counters == nil || counters["accepted"] == 0 {
		t.Errorf("status counts %v", status["counters"])
	}
}
