// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
)

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
	tokens, err := auth.OpenTokens(file("tokens.toml", []byte("[[certificate]]\nname = \"ci\"\nscopes = [\"*\"]\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	url := benchHub(t, transport.WithTLS(config), transport.WithAuthentication(auth.Any(tokens.Authenticate, tokens.AuthenticateCertificate))).URL
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
			args := strings.Fields(test.args)
			bench := []string{"bench", url, "--op", "info", "--connections", "1", "--duration", "300ms", "--warmup", "0s"}
			for _, words := range [][]string{args, append(append([]string{}, args...), bench...), append(bench, args...), append(append([]string{}, args...), "doctor", url)} {
				ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
				defer cancel()
				cmd := exec.CommandContext(ctx, "plexus", words...)
				// A token would be wrong here, and does not go beside a certificate.
				cmd.Dir, cmd.Env = folder, append(environment(t, url), "PLEXUS_TOKEN=wrong")
				out, err := cmd.CombinedOutput()
				if got := cmd.ProcessState.ExitCode(); got != test.status || !strings.Contains(string(out), test.says) {
					t.Errorf("plexus %q: exit status %d, want %d with %q; %v; %s", words, got, test.status, test.says, err, out)
				}
				if advice := "give one that it knows"; strings.HasPrefix(test.says, "tls") && slices.Contains(words, "doctor") != strings.Contains(string(out), advice) {
					t.Errorf("plexus %q: %s, want %q of the doctor alone", words, out, advice)
				}
			}
		})
	}
}
