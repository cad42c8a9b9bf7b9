// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
)

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
	tokens, err := auth.OpenTokens(file, nil)
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
			length := "10ms"
			if test.status == succeeded { // for which one operation must come to its end
				length = "300ms"
			}
			bench := []string{"bench", url, "--op", "info", "--connections", "1", "--duration", length, "--warmup", "0s"}
			if test.status == failed {
				r := plexus(t, "", append(append([]string{}, args...), "doctor", url)...)
				if reported := strings.Contains(r.stderr, "does not accept our credentials"); reported != (test.args != "") {
					t.Errorf("the doctor says %q", r.stderr)
				}
			}
			for _, words := range [][]string{args, append(append([]string{}, args...), bench...), append(bench, args...)} {
				ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
				defer cancel()
				cmd := exec.CommandContext(ctx, "plexus", words...)
				cmd.Env = append(environment(t, url), "PLEXUS_TOKEN="+with(test.env))
				out, err := cmd.CombinedOutput()
				if got := cmd.ProcessState.ExitCode(); got != test.status || strings.Contains(string(out), token) {
					t.Errorf("plexus %q: exit status %d, want %d; %v; %s", words, got, test.status, err, out)
				}
			}
		})
	}
}
