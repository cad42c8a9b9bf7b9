// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// open accepts the tokens and certificates that a file lists.
func open(t testing.TB, path string) *Authenticator {
	t.Helper()
	a, err := New(Config{Tokens: path, Certificates: true})
	must(t, err)
	return a
}

func TestTokens(t *testing.T) {
	good, goodEntry := newToken(t, "ci", time.Time{}, "registry:read", "registry:write:team-a-*")
	ended, endedEntry := newToken(t, "ended", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	stranger, _ := newToken(t, "stranger", time.Time{})
	tokens := open(t, writeTokens(t, written(t, goodEntry, endedEntry)))
	ci := plugin.Caller{Name: "ci", Means: "token", Scopes: []string{"registry:read", "registry:write:team-a-*"}}

	for name, headers := range map[string][]string{
		"bearer":      {"Authorization", "Bearer " + good},
		"api key":     {"X-Plexus-API-Key", good},
		"cookie":      {"Cookie", "access_token=" + good},
		"subprotocol": {"Sec-WebSocket-Protocol", "plexus, plexus.bearer." + encoded(good)},
	} {
		got, err := tokens.Authenticate(request(headers...))
		if err != nil || !reflect.DeepEqual(got, ci) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	flipped := []byte(good)
	flipped[10] ^= 'a' ^ 'A'
	for name, c := range map[string]struct {
		secret string
		want   error
		text   string
	}{
		"expired":      {ended, nil, `"ended" expired at 2020-01-01T00:00:00Z`},
		"not listed":   {stranger, nil, "no token has the hash sha256:"},
		"mistyped":     {string(flipped), nil, ""},
		"shortened":    {good[:len(good)-1], nil, "form"},
		"lengthened":   {good + "A", nil, "form"},
		"another case": {strings.ToUpper(good), nil, "form"},
		"its hash":     {goodEntry.Hash, nil, "form"},
		"a password":   {"secret", nil, "form"},
		"a JWT":        {"e30.e30.e30", errKind, ""},
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := tokens.Authenticate(bearing(c.secret))
			fails(t, err, c.want, c.text)
			if err != nil && strings.Contains(err.Error(), c.secret) {
				t.Errorf("%v shows the secret", err)
			}
			if !reflect.DeepEqual(caller, plugin.Caller{}) {
				t.Errorf("got %+v beside the error", caller)
			}
		})
	}
	_, err := tokens.Authenticate(request())
	fails(t, err, transport.ErrNoCredentials, "")

	// Callers can't change what others may do.
	got, err := tokens.Authenticate(bearing(good))
	must(t, err)
	got.Scopes[0] = "*"
	if got, _ := tokens.Authenticate(bearing(good)); !reflect.DeepEqual(got, ci) {
		t.Errorf("got %+v", got)
	}
}

func TestATokenIsValidUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token, entry := newToken(t, "ci", time.Now().Add(time.Hour))
		tokens := open(t, writeTokens(t, written(t, entry)))
		for i, wait := range []time.Duration{time.Hour - 1, 1} {
			time.Sleep(wait)
			if got, err := tokens.Authenticate(bearing(token)); (err == nil) != (i == 0) || got.May("registry:read") {
				t.Errorf("at %v: got %+v, %v", time.Now(), got, err)
			}
		}
	})
}

func TestTokenFileRefuses(t *testing.T) {
	folder := t.TempDir()
	for name, c := range map[string]struct{ path, text string }{
		"nothing":  {filepath.Join(folder, "none.toml"), "none.toml: cannot be read: no such file"},
		"a folder": {folder, "not a regular file"},
		"broken":   {writeTokens(t, "[[token]]\nname = 7\n"), "tokens.toml:"},
		"huge":     {writeTokens(t, strings.Repeat("#\n", maxFileBytes)), "larger than 1 MiB"},
	} {
		if _, err := New(Config{Tokens: c.path}); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want %q", name, err, c.text)
		}
	}
}

func TestTokenFileWarnsOfOtherReaders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no modes")
	}
	path := writeTokens(t, "")
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true} {
		must(t, os.Chmod(path, mode))
		var log testkit.Log
		_, err := New(Config{Tokens: path, Log: log.Logger()})
		must(t, err)
		if strings.Contains(log.String(), "chmod 600") != warned {
			t.Errorf("%o: logged %q", mode, log.String())
		}
	}
}

// What is wrong is a warning for as long as it is.
func TestWarnings(t *testing.T) {
	t.Parallel()
	_, entry := newToken(t, "one", time.Time{})
	tokens, keys := writeTokens(t, written(t, entry)), filepath.Join(t.TempDir(), "keys.json")
	good := []byte(jwks(t, newIssuer(t).public()...))
	must(t, os.WriteFile(keys, good, 0o600))
	a, err := New(Config{Tokens: tokens, JWT: JWTConfig{JWKS: keys, Audience: "us"}})
	must(t, err)
	follow(t, a.Run)
	wants := func(what string, parts ...string) {
		t.Helper()
		testkit.Eventually(t, what, func() bool {
			all := a.Warnings()
			return len(all) == len(parts) && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(strings.Join(all, "\n"), part) })
		})
	}
	wants("nothing is wrong")
	must(t, os.Chmod(tokens, 0o644))
	wants("a mode", "chmod 600")
	must(t, os.Chmod(tokens, 0o600))
	wants("a mode that was put right")
	must(t, os.WriteFile(tokens, []byte("[[token]\n"), 0o600))
	wants("a mistake", "tokens.toml:1: ")
	must(t, os.Remove(tokens))
	wants("a missing file", "is missing, and was not before")
	must(t, os.WriteFile(keys, nil, 0o600))
	wants("keys, too", "is missing", "keys.json: is empty")
	must(t, os.WriteFile(keys, good, 0o600))
	must(t, os.WriteFile(tokens, []byte(written(t, entry)), 0o600))
	wants("everything is as it was")
}

// Whoever edits a file can see whether it is read, as it is now.
func TestAFileThatIsReadIsMarked(t *testing.T) {
	t.Parallel()
	_, entry := newToken(t, "one", time.Time{})
	_, another := newToken(t, "two", time.Time{})
	path := writeTokens(t, written(t, entry))
	if IsRead(path) || IsRead(path+".none") {
		t.Error("nobody reads it")
	}
	a, err := New(Config{Tokens: path})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		a.Run(ctx, func() {})
		close(ended)
	}()
	if !IsRead(path) {
		t.Error("it is read")
	}
	must(t, AddToken(path, another))
	testkit.Eventually(t, "the new file is read", func() bool { return IsRead(path) })
	if len(a.tokens.entries.Get().tokens) != 2 {
		t.Error("it is marked, and not in use")
	}
	must(t, os.WriteFile(path+".new", []byte("[[token]"), 0o600))
	must(t, os.Rename(path+".new", path))
	testkit.Eventually(t, "the mistake is noticed", func() bool { return len(a.Warnings()) == 1 })
	if IsRead(path) {
		t.Error("a file that can't be used is marked")
	}
	cancel()
	<-ended
	must(t, os.WriteFile(path, []byte(written(t, entry)), 0o600))
	if IsRead(path) {
		t.Error("nobody reads it any more")
	}
}

func TestTokensAreReloaded(t *testing.T) {
	t.Parallel()
	one, oneEntry := newToken(t, "one", time.Time{})
	two, twoEntry := newToken(t, "two", time.Time{})
	three, threeEntry := newToken(t, "two", time.Time{}) // of the same name
	var log testkit.Log
	path := writeTokens(t, written(t, oneEntry))
	tokens, err := New(Config{Tokens: path, Log: log.Logger()})
	must(t, err)
	changes := follow(t, tokens.Run)
	for _, step := range []struct {
		text   string
		refuse string // what is logged about a file that can't be used
		valid  []string
	}{
		{written(t, oneEntry, twoEntry), "", []string{one, two}},
		{written(t, twoEntry), "", []string{two}},
		{"[[token]", "tokens.toml:1: ", []string{two}},
		{written(t, threeEntry), "", []string{three}},
		{"# none\n", "tokens.toml: is empty but for comments", []string{three}},
		{"token = []\n", "", nil},
	} {
		changed, before := changes.Load(), len(log.String())
		must(t, replace(path, []byte(step.text), nil))
		isChanged := func() bool { return changes.Load() > changed }
		testkit.Eventually(t, "the file to be read", func() bool {
			return step.refuse == "" && isChanged() || step.refuse != "" && strings.Contains(log.String()[before:], step.refuse)
		})
		if step.refuse != "" && isChanged() {
			t.Errorf("%q is in use", step.text)
		}
		for _, token := range []string{one, two, three} {
			if _, err := tokens.Authenticate(bearing(token)); (err == nil) != slices.Contains(step.valid, token) {
				t.Errorf("%q: got %v", step.text, err)
			}
		}
	}
	for _, secret := range []string{one, two, three} {
		if strings.Contains(log.String(), secret) {
			t.Error("a token is in the log")
		}
	}
}
