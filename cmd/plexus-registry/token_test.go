// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
)

// token runs plexus-registry token.
func token(t testing.TB, dir string, args ...string) outcome {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"token"}, args...)...)
	cmd.Env = command(dir).Env
	return finish(t, cmd)
}

// TestTokenThatNobodySees: a token that can't be printed is not left in the file.
func TestTokenThatNobodySees(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	dir := t.TempDir()
	cmd := exec.Command(binary, "token", "new", "ci", "--scope=*")
	cmd.Env, cmd.Stdout = command(dir).Env, full
	if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit status %d", cmd.ProcessState.ExitCode())
	}
	if got := token(t, dir, "list"); strings.Contains(got.stdout, "ci") {
		t.Errorf("listed are %+v", got)
	}
	if got := token(t, dir, "new", "ci", "--scope=*"); got.status != 0 {
		t.Errorf("the next one: %+v", got)
	}
}

func TestTokensAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"new", "ci", "--scope=registry:read", "--scope=registry:write:team-a-*", "--description=the build\nserver\x1b[31m"},
		{"new", "a person", "--scope=*", "--expires=24h"},
		{"new", "日本", "--scope=*"},
		{"new", "old", "--scope=registry:read", "--expires=1ns"},
	} {
		if got := token(t, dir, args...); got.status != 0 || !strings.HasPrefix(got.stdout, "plx_") {
			t.Fatalf("%q: %+v", args, got)
		}
	}
	got := token(t, dir, "list")
	want := regexp.MustCompile(`^NAME      SCOPES                                 EXPIRES +DESCRIPTION
a person  \*                                      20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ
ci        registry:read registry:write:team-a-\*  never +the build server \[31m
old       registry:read                          20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ \(expired\)
日本      \*                                      never
$`)
	if got.status != 0 || !want.MatchString(got.stdout) || strings.Contains(got.stdout, "plx_") {
		t.Errorf("listed are\n%s%s", got.stdout, got.stderr)
	}
	for _, name := range []string{"a person", "old", "ci", "日本"} {
		if got := token(t, dir, "revoke", name); got.status != 0 || got.stdout != "" {
			t.Errorf("revoke %s: %+v", name, got)
		}
	}
	if got := token(t, dir, "list"); got.status != 0 || strings.Count(got.stdout, "\n") != 1 {
		t.Errorf("listed are %+v", got)
	}
	if got := token(t, dir, "new", "ci", "--scope=registry:read"); got.status != 0 {
		t.Errorf("a name that was revoked: %+v", got)
	}
	path := filepath.Join(dir, "plexus", "tokens.toml")
	for args, want := range map[string]struct {
		status int
		text   string
	}{
		"revoke nobody":            {1, path + ` has no token "nobody"` + "\n"},
		"revoke":                   {2, "token revoke needs one NAME"},
		"revoke a b":               {2, "token revoke needs one NAME, and there are 2"},
		"list a":                   {2, "token list needs no NAME"},
		"list --scope=x":           {2, "unknown flag: --scope"},
		"list --tokens=/none/x":    {1, "/none/x: cannot be read"},
		"revoke x --tokens=/none/": {1, "/none"},
		"":                         {2, "token needs a command: new, list or revoke"},
	} {
		if got := token(t, dir, strings.Fields(args)...); got.status != want.status || !strings.Contains(got.stderr, want.text) || got.stdout != "" {
			t.Errorf("%s: %+v, want %v", args, got, want)
		}
	}
}

// Whoever changes a file that no running registry reads, or can't read, is told.
func TestWhoChangesAFileThatIsNotReadIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other := filepath.Join(dir, "plexus", "tokens.toml"), filepath.Join(dir, "other.toml")
	unread := "No running registry reads " + path
	steps := func(want string, all ...[]string) {
		t.Helper()
		for _, args := range all {
			if got := token(t, dir, args...); got.status != 0 || strings.Contains(got.stderr, "running registry") != (want != "") || !strings.Contains(got.stderr, want) {
				t.Errorf("%q: %+v, want %q", args, got, want)
			}
		}
	}
	steps(unread, []string{"new", "one", "--scope=*"}, []string{"new", "two", "--scope=*"}, []string{"list"}, []string{"revoke", "two"})
	p := start(t, command(dir)) // it reads no tokens
	steps(unread, []string{"new", "two", "--scope=*"})
	p.stop(t)
	p = start(t, command(dir, "--tokens", path))
	steps("", []string{"list"}, []string{"new", "three", "--scope=*"}, []string{"new", "four", "--scope=*"}, []string{"revoke", "three"}, []string{"revoke", "two"}, []string{"list"})
	steps("No running registry reads "+other, []string{"new", "one", "--scope=*", "--tokens", other})
	// The token is good as soon as the command ends.
	secret := strings.TrimSpace(token(t, dir, "new", "five", "--scope=*").stdout)
	if _, response, err := testkit.DialWith(t, &websocket.Dialer{}, p.url, http.Header{"Authorization": {"Bearer " + secret}}); err != nil {
		t.Errorf("a new token: %v, %v", response, err)
	}
	// It is stopped, as by a debugger, and can't notice.
	p.signal(t, syscall.SIGSTOP)
	steps("The running registry has not read "+path, []string{"revoke", "five"})
	p.signal(t, syscall.SIGCONT)
	testkit.Eventually(t, "it notices", func() bool { return !strings.Contains(token(t, dir, "list").stderr, "running registry") })
	p.stop(t)
	steps(unread, []string{"list"})
}
