// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
)

// TestCredentialsOfTheFirstHubStayThere: a hub that the registry names, which may be
// anybody's, gets the token only where that was said.
func TestCredentialsOfTheFirstHubStayThere(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 8)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Authorization") + r.Header.Get("Cookie")
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(web.Close)
	url := serveMain(t, "asked-first", map[string]string{"billing": "ws" + strings.TrimPrefix(web.URL, "http")}).URL
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--token", "secret", "billing"}, ""},
		{[]string{"--cookie", "access_token=secret", "billing"}, ""},
		{[]string{"--token", "secret", "--pass-on", "billing"}, "Bearer secret"},
		{[]string{"--token", "secret", "ping", "billing"}, ""},
	} {
		got := plexus(t, url, test.args...)
		if shown := <-seen; shown != test.want || got.status != failed {
			t.Errorf("%q: the hub is shown %q; status %d, %s", test.args, shown, got.status, got.stderr)
		}
	}
}

// checkLogin runs plexus alone, bench with the same flags before and after it,
// and doctor, which must all exit with that status and say so. hidden is what
// only the doctor may say.
func checkLogin(t *testing.T, folder, url, token string, args []string, want int, says, hidden string) (doctor result) {
	t.Helper()
	// For success, one operation must come to its end.
	bench := []string{"bench", url, "--op", "info", "--connections", "1", "--duration", "300ms", "--warmup", "0s"}
	for _, words := range [][]string{args, slices.Concat(args, bench), slices.Concat(bench, args), slices.Concat(args, []string{"doctor", url})} {
		cmd := plexusCommand(t, url, words...)
		cmd.Dir, cmd.Env = folder, append(cmd.Env, "PLEXUS_TOKEN="+token)
		doctor = ended(t, cmd)
		out := doctor.stdout + doctor.stderr
		if doctor.status != want || !strings.Contains(out, says) || strings.Contains(out, hidden) && !slices.Contains(words, "doctor") {
			t.Errorf("plexus %q: got %+v, want %d with %q, and no %q", words, doctor, want, says, hidden)
		}
	}
	return doctor
}

// TestToken shows a token to a hub that lets nobody in without, in all the ways
// that there are.
func TestToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tokens.toml")
	token, entry, err := auth.NewToken("ci", []string{"*"}, time.Time{})
	if err == nil {
		err = auth.AddToken(file, entry)
	}
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.New(auth.Config{Tokens: file})
	if err != nil {
		t.Fatal(err)
	}
	url := benchHub(t, transport.WithAuthentication(tokens.Authenticate)).URL
	for _, test := range []struct {
		name   string
		args   string // $T is the token, ~ a space in an argument
		env    string
		status int
	}{
		{"none", "", "", failed},
		{"a wrong one", "--token x$T", "", failed},
		{"flag", "--token $T", "", succeeded},
		{"variable", "", "$T", succeeded},
		{"flag before variable", "--token $T", "x", succeeded},
		{"cookie", "--cookie access_token=$T", "", succeeded},
		{"cookie beside others", "--cookie a=b --cookie access_token=$T", "", succeeded},
		{"cookie before variable", "--cookie access_token=$T", "x", succeeded},
		{"another cookie beside the variable", "--cookie a=b", "$T", succeeded},
		{"API key before variable", "--header X-Plexus-API-Key:$T", "x", succeeded},
		{"header before variable", "--header authorization:Bearer~$T", "x", succeeded},
		{"two of them", "--token $T --cookie access_token=$T", "", failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			with := func(text string) string { return strings.ReplaceAll(text, "$T", token) }
			args := strings.Fields(with(test.args))
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "~", " ")
			}
			r := checkLogin(t, "", url, with(test.env), args, test.status, "", token)
			if reported := strings.Contains(r.stderr, "does not accept our credentials"); reported != (test.status == failed && test.args != "") {
				t.Errorf("the doctor says %q", r.stderr)
			}
		})
	}
}

// TestCertificates talks to a hub that is known to an authority of its own, and
// wants to know who calls.
func TestCertificates(t *testing.T) {
	t.Parallel()
	folder, hubs, callers := t.TempDir(), testkit.NewAuthority(t, "hubs"), testkit.NewAuthority(t, "callers")
	file := func(name string, text []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair := func(a *testkit.Authority, name string) (cert, key string) {
		certText, keyText := a.Pair(name)
		return file(name+".pem", certText), file(name+".key", keyText)
	}
	cert, key := pair(hubs, "hub")
	file("hubs.pem", hubs.PEM())
	file("nonsense.pem", []byte("nonsense"))
	pair(callers, "ci")
	pair(hubs, "stranger")
	config, _, err := transport.NewTLSConfig(transport.TLS{CertFile: cert, KeyFile: key, ClientCAFile: file("callers.pem", callers.PEM())}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.New(auth.Config{Certificates: true,
		Tokens: file("tokens.toml", []byte("[[certificate]]\nname = \"ci\"\nscopes = [\"*\"]\n"))})
	if err != nil {
		t.Fatal(err)
	}
	url := benchHub(t, transport.WithTLS(config), transport.WithAuthentication(tokens.Authenticate)).URL
	url = "wss" + strings.TrimPrefix(url, "ws")
	for _, test := range []struct {
		name, args string
		status     int
		says       string
	}{
		{"nothing", "", failed, "authority"},
		{"no certificate of ours", "--ca hubs.pem", failed, "tls: certificate required"},
		{"both", "--ca hubs.pem --cert ci.pem --key ci.key", succeeded, ""},
		{"of nobody the hub knows", "--ca hubs.pem --cert stranger.pem --key stranger.key", failed, "tls: unknown certificate authority"},
		{"nobody trusted", "--cert ci.pem --key ci.key", failed, "authority"},
		{"certificate without key", "--cert ci.pem", misused, "--cert needs --key"},
		{"key without certificate", "--ca hubs.pem --key ci.key", misused, "--cert needs --key"},
		{"key of another", "--cert ci.pem --key hub.key", misused, "--cert ci.pem, --key hub.key"},
		{"no file", "--ca none.pem", misused, "--ca: open none.pem"},
		{"no certificate in it", "--ca nonsense.pem", misused, "--ca: nonsense.pem: no certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			// A token would be wrong here, and does not go beside a certificate.
			const advice = "give one that it knows"
			r := checkLogin(t, folder, url, "wrong", strings.Fields(test.args), test.status, test.says, advice)
			if strings.HasPrefix(test.says, "tls") != strings.Contains(r.stderr, advice) {
				t.Errorf("the doctor says %s", r.stderr)
			}
		})
	}
}
