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
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// fortress is a registry with every kind of door.
type fortress struct {
	url, folder string
	ca          *testkit.Authority
	signer      jose.Signer
}

func newFortress(t *testing.T, args ...string) *fortress {
	t.Helper()
	f := &fortress{folder: t.TempDir(), ca: testkit.NewAuthority(t, "authority")}
	cert, key := f.ca.Pair("localhost")
	writeFile(t, f.path("cert.pem"), string(cert))
	writeFile(t, f.path("key.pem"), string(key))
	writeFile(t, f.path("ca.pem"), string(f.ca.PEM()))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &private.PublicKey, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, f.path("keys.json"), string(keys))
	f.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	newToken(t, f.path("tokens.toml"), "somebody", "--scope=registry:read")
	cmd := command(f.folder, append([]string{
		"--tls-cert", f.path("cert.pem"), "--tls-key", f.path("key.pem"), "--tls-client-ca", f.path("ca.pem"),
		"--tokens", f.path("tokens.toml"),
		"--jwt-keys", f.path("keys.json"), "--jwt-audience", "plexus", "--jwt-issuer", "https://id.example",
	}, args...)...)
	f.url = strings.Replace(start(t, cmd).url, "127.0.0.1", "localhost", 1)
	return f
}

func (f *fortress) path(name string) string { return filepath.Join(f.folder, name) }

func (f *fortress) jwt(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": "https://id.example", "aud": "plexus", "sub": "somebody", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	token, err := jwt.Signed(f.signer).Claims(all).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// knock is what one shows at the door.
type knock struct {
	header http.Header
	cert   *tls.Certificate
}

// dial opens a connection; status is that of a refusal, 0 for none.
func (f *fortress) dial(t *testing.T, k knock) (ws *websocket.Conn, status int) {
	t.Helper()
	config := &tls.Config{RootCAs: f.ca.Pool()}
	if k.cert != nil {
		config.Certificates = []tls.Certificate{*k.cert}
	}
	dialer := websocket.Dialer{TLSClientConfig: config, HandshakeTimeout: testkit.Patience}
	ws, answer, err := dialer.Dial(f.url, k.header)
	if err == nil {
		t.Cleanup(func() { ws.Close() })
		return ws, 0
	}
	if answer == nil {
		t.Fatal(err)
	}
	if answer.StatusCode == http.StatusUnauthorized && !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Bearer ") {
		t.Error("401 without WWW-Authenticate")
	}
	return nil, answer.StatusCode
}

// code makes a call through the hub and returns the code of its error; empty for
// one that was served.
func code(t *testing.T, ws *websocket.Conn, method string, params object) string {
	t.Helper()
	code, err := tryCode(ws, method, params)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return code
}

func tryCode(ws *websocket.Conn, method string, params object) (string, error) {
	err := ws.WriteJSON(object{"jsonrpc": "2.0", "id": 1, "method": "registry-hub.call", "params": object{"method": method, "params": params}})
	if err != nil {
		return "", err
	}
	ws.SetReadDeadline(time.Now().Add(testkit.Patience))
	for subscription := int64(0); ; {
		var frame struct {
			Result int64
			Params struct {
				Subscription int64
				Result       struct{ Type, Code string }
			}
		}
		if err := ws.ReadJSON(&frame); err != nil {
			return "", err
		}
		if frame.Result != 0 {
			subscription = frame.Result
		}
		if subscription == 0 || frame.Params.Subscription != subscription {
			continue // of another call
		}
		switch frame.Params.Result.Type {
		case "data":
			return "", nil
		case "error":
			return frame.Params.Result.Code, nil
		}
	}
}

// doorCalls are calls of every method, with the scope that each needs.
var doorCalls = []struct {
	method string
	params object
	need   string
}{
	{"registry.get", object{"name": "team-a-1"}, "registry:read"},
	{"registry.list", object{}, "registry:read"},
	{"registry.watch", object{}, "registry:read"},
	{"registry.register", object{"name": "team-a-1", "host": "localhost", "port": 1}, "registry:write:team-a-1"},
	{"registry.register", object{"name": "beta", "host": "localhost", "port": 1}, "registry:write:beta"},
	{"registry.update", object{"name": "beta", "port": 2}, "registry:write:beta"},
	{"registry.ping", object{"name": "team-a-1"}, "registry:write:team-a-1"},
	{"registry.ping", object{"name": "beta"}, "registry:write:beta"},
	{"registry.deregister", object{"name": "beta"}, "registry:write:beta"},
	{"registry.delete", object{"name": "team-a-1"}, "registry:write:team-a-1"},
	{"registry.delete", object{"name": "beta"}, "registry:write:beta"},
	{"registry.reload", object{}, "registry:admin"},
	{"registry.status", object{}, "registry:admin"},
	{"registry.schema", object{}, ""},
}

// TestEveryDoorAndEveryKnock tries each way to say who one is, with each kind of
// scope, from each kind of place, on each method.
func TestEveryDoorAndEveryKnock(t *testing.T) {
	t.Parallel()
	scopes := map[string][]string{
		"nothing": {}, "read": {"registry:read"}, "write": {"registry:write"}, "admin": {"registry:admin"},
		"own": {"registry:read", "registry:write:team-a-*"}, "all": {"registry:*"},
	}
	for _, anonymous := range []string{"none", "read", "all"} {
		t.Run("anonymous="+anonymous, func(t *testing.T) {
			t.Parallel()
			f := newFortress(t, "--anonymous", anonymous, "--allowed-host=proxied.example", "--allowed-origin=https://app.example",
				"--trusted-proxy=127.0.0.1", "--insecure")
			// Who one is: what is shown, and the scopes that it brings; nil
			// is for credentials that are refused.
			type who struct {
				knock
				scopes    []string
				anonymous bool
			}
			bearer := func(secret string) knock { return knock{header: http.Header{"Authorization": {"Bearer " + secret}}} }
			everybody := map[string]who{
				"nobody":        {anonymous: true},
				"a wrong token": {knock: bearer("plx_wrong")}, "a wrong kind": {knock: knock{header: http.Header{"Authorization": {"Basic YTpi"}}}},
				"a JWT of another issuer": {knock: bearer(f.jwt(t, map[string]any{"iss": "https://evil.example"}))},
				"a JWT for another":       {knock: bearer(f.jwt(t, map[string]any{"aud": "other"}))},
				"a JWT that has expired":  {knock: bearer(f.jwt(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}))},
			}
			places := []func(secret string) knock{
				bearer,
				func(secret string) knock { return knock{header: http.Header{"X-Plexus-Api-Key": {secret}}} },
				func(secret string) knock { return knock{header: http.Header{"Cookie": {"access_token=" + secret}}} },
				func(secret string) knock {
					return knock{header: http.Header{"Sec-Websocket-Protocol": {"plexus, plexus.bearer." + base64.RawURLEncoding.EncodeToString([]byte(secret))}}}
				},
			}
			file := "" // certificates go into the file of tokens, too
			for name, held := range scopes {
				var flags []string
				for _, scope := range held {
					flags = append(flags, "--scope="+scope)
				}
				if len(held) > 0 {
					secret := newToken(t, f.path("tokens.toml"), "token "+name, flags...)
					for i, place := range places {
						everybody[fmt.Sprintf("token %s, place %d", name, i)] = who{knock: place(secret), scopes: held}
					}
				}
				everybody["JWT "+name] = who{knock: bearer(f.jwt(t, map[string]any{"scope": strings.Join(held, " ")})), scopes: held}
				pair := f.ca.Certificate(name + ".client.example")
				everybody["certificate "+name] = who{knock: knock{cert: &pair}, scopes: held}
				if len(held) > 0 {
					file += fmt.Sprintf("[[certificate]]\nname = %q\nscopes = [\"%s\"]\n", name+".client.example", strings.Join(held, `", "`))
				}
			}
			text := readText(t, f.path("tokens.toml"))
			writeFile(t, f.path("tokens.toml"), text+file)
			// The file is read again when it changes.
			all := everybody["certificate all"].knock
			testkit.Eventually(t, "the certificates to be known", func() bool {
				ws, status := f.dial(t, all)
				if status != 0 {
					return false
				}
				// One that came before the file was read is put out by that.
				code, err := tryCode(ws, "registry.status", nil)
				return err == nil && code == ""
			})

			for source, from := range map[string]struct {
				header http.Header
				status int // of every knock; 0 where it depends on who knocks
			}{
				"a program":                 {nil, 0},
				"a page of this machine":    {http.Header{"Origin": {"http://localhost:3000"}}, 0},
				"a page that is allowed":    {http.Header{"Origin": {"https://app.example"}}, 0},
				"a strange page":            {http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
				"a page of no origin":       {http.Header{"Origin": {"null"}}, http.StatusForbidden},
				"a name that was rebound":   {http.Header{"Host": {"evil.example"}}, http.StatusMisdirectedRequest},
				"behind the proxy":          {http.Header{"Host": {"proxied.example"}, "X-Forwarded-For": {"192.0.2.7"}}, 0},
				"behind it, by our address": {http.Header{"X-Forwarded-For": {"192.0.2.7"}}, http.StatusMisdirectedRequest},
			} {
				for name, w := range everybody {
					knock := knock{header: http.Header{}, cert: w.cert}
					for _, h := range []http.Header{w.header, from.header} {
						for field, values := range h {
							knock.header[field] = values
						}
					}
					held := w.scopes
					if w.anonymous {
						held = map[string][]string{"read": {"registry:read"}, "all": {"*"}}[anonymous]
					}
					want := from.status
					if want == 0 && (held == nil) {
						want = http.StatusUnauthorized
					}
					ws, status := f.dial(t, knock)
					if status != want {
						t.Errorf("%s, %s: status %d, want %d", source, name, status, want)
					}
					if ws == nil {
						continue
					}
					caller := plugin.Caller{Scopes: held}
					for _, call := range doorCalls {
						want := ""
						switch {
						case call.need == "" || caller.May(call.need):
						case w.anonymous:
							want = fmt.Sprint(plugin.CodeUnauthenticated)
						default:
							want = fmt.Sprint(plugin.CodeForbidden)
						}
						if got := code(t, ws, call.method, call.params); got != want {
							t.Errorf("%s, %s: %s of %v: code %q, want %q", source, name, call.method, call.params["name"], got, want)
						}
					}
					ws.Close()
				}
			}
		})
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

// TestTokenThatIsRemoved: who holds it is put out at once.
func TestTokenThatIsRemoved(t *testing.T) {
	t.Parallel()
	f := newFortress(t)
	before := readText(t, f.path("tokens.toml"))
	secret := newToken(t, f.path("tokens.toml"), "ci", "--scope=registry:write")
	show := knock{header: http.Header{"Authorization": {"Bearer " + secret}}}
	var ws *websocket.Conn
	testkit.Eventually(t, "the token to be known", func() bool {
		var status int
		ws, status = f.dial(t, show)
		return status == 0
	})
	if got := code(t, ws, "registry.register", object{"name": "alpha", "host": "localhost", "port": 1}); got != "" {
		t.Fatal(got)
	}
	writeFile(t, f.path("tokens.toml"), before)
	ws.SetReadDeadline(time.Now().Add(testkit.Patience))
	for {
		_, _, err := ws.ReadMessage()
		if err == nil {
			continue
		}
		if !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("closed with %v", err)
		}
		break
	}
	if _, status := f.dial(t, show); status != http.StatusUnauthorized {
		t.Errorf("the removed token is answered with %d", status)
	}
}

// TestExposure: other machines are not served by accident.
func TestExposure(t *testing.T) {
	dir := t.TempDir()
	got := finish(t, command(dir, "--host=0.0.0.0"))
	if got.status != failed || !strings.Contains(got.stderr, "no TLS and no authentication") || !strings.Contains(got.stderr, "--insecure") {
		t.Errorf("status %d, %s", got.status, got.stderr)
	}
	p := start(t, command(dir, "--host=0.0.0.0", "--insecure"))
	if p.logged(t, "insecure") != 1 {
		t.Error("it does not warn once")
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

// TestExposureThroughAProxy: who listens on loopback, behind a proxy, serves other
// machines.
func TestExposureThroughAProxy(t *testing.T) {
	args := []string{"--trusted-proxy=127.0.0.1", "--allowed-host=registry.example"}
	got := finish(t, command(t.TempDir(), args...))
	if got.status != failed || !strings.Contains(got.stderr, "through a proxy") {
		t.Errorf("status %d, %s", got.status, got.stderr)
	}
	start(t, command(t.TempDir(), append(args, "--insecure")...))
}

// TestDoorsThatAreMistakes: a registry that would let in nobody, or not those who
// are meant, does not start, and has touched nothing.
func TestDoorsThatAreMistakes(t *testing.T) {
	for _, flag := range []string{"--anonymous=none", "--allowed-host=a.example:80", "--allowed-origin=a.example"} {
		dir := t.TempDir()
		if got := finish(t, command(dir, flag)); got.status != misused {
			t.Errorf("%s: status %d, %s", flag, got.status, got.stderr)
		}
		if exists(t, filepath.Join(dir, "plexus")) {
			t.Errorf("%s: it has made files", flag)
		}
	}
}

func TestScopesOfANewToken(t *testing.T) {
	for scope, want := range map[string]int{
		"registry:read": succeeded, "registry:write:team-a-*": succeeded, "*": succeeded, "registry:*": succeeded,
		"registry:wirte": misused, "registry:read,registry:write": misused, "registry:read registry:write": misused, "registry": misused, "": misused,
	} {
		cmd := exec.Command(binary, "token", "new", "ci", "--scope", scope, "--tokens", filepath.Join(t.TempDir(), "tokens.toml"))
		if got := finish(t, cmd); got.status != want {
			t.Errorf("--scope %q: status %d, want %d; %s", scope, got.status, want, got.stderr)
		}
	}
}

// TestMechanisms: _info tells how one may say who one is.
func TestMechanisms(t *testing.T) {
	t.Parallel()
	f := newFortress(t, "--anonymous=none")
	secret := newToken(t, f.path("tokens.toml"), "ci", "--scope=registry:read")
	var ws *websocket.Conn
	testkit.Eventually(t, "the token to be known", func() bool {
		var status int
		ws, status = f.dial(t, knock{header: http.Header{"Authorization": {"Bearer " + secret}}})
		return status == 0
	})
	if err := ws.WriteJSON(object{"jsonrpc": "2.0", "id": 1, "method": "_info"}); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for kinds == nil {
		var frame struct {
			Params struct {
				Result struct {
					Content struct {
						Auth struct {
							Mechanisms []struct{ Kind string }
						} `json:"auth_capabilities"`
					}
				}
			}
		}
		if err := ws.ReadJSON(&frame); err != nil {
			t.Fatal(err)
		}
		for _, m := range frame.Params.Result.Content.Auth.Mechanisms {
			kinds = append(kinds, m.Kind)
		}
	}
	slices.Sort(kinds)
	if want := []string{"api_key", "bearer", "certificate", "cookie", "subprotocol"}; !slices.Equal(kinds, want) {
		t.Errorf("the mechanisms are %q, want %q", kinds, want)
	}
}
