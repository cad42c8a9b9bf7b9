// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

func open(t *testing.T, path string) *Tokens {
	t.Helper()
	tokens, err := OpenTokens(path, nil)
	must(t, err)
	return tokens
}

func TestTokens(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	good, goodEntry := newToken(t, "ci", time.Time{}, "registry:read", "registry:write:team-a-*")
	ending, endingEntry := newToken(t, "ending", now)
	stranger, _ := newToken(t, "stranger", time.Time{})
	tokens := open(t, tokenFile(t, written(t, goodEntry, endingEntry)))
	at := now.Add(-time.Nanosecond)
	tokens.now = func() time.Time { return at }
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
	if got, err := tokens.Authenticate(bearing(ending)); err != nil || got.Name != "ending" || got.May("registry:read") {
		t.Errorf("just before it expires: got %+v, %v", got, err)
	}
	at = now
	flipped := []byte(good)
	flipped[10] ^= 'a' ^ 'A'
	for name, c := range map[string]struct {
		secret string
		want   error
		text   string
	}{
		"expired":      {ending, nil, `"ending" expired at 2030-01-01T00:00:00Z`},
		"not listed":   {stranger, nil, "no token has the hash sha256:"},
		"mistyped":     {string(flipped), nil, ""},
		"shortened":    {good[:len(good)-1], nil, "form"},
		"lengthened":   {good + "A", nil, "form"},
		"another case": {strings.ToUpper(good), nil, "form"},
		"its hash":     {goodEntry.Hash, nil, "form"},
		"a password":   {"secret", nil, "form"},
		"a JWT":        {"e30.e30.e30", errNotForUs, ""},
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := tokens.Authenticate(bearing(c.secret))
			fails(t, err, c.want, c.text)
			if err != nil && strings.Contains(err.Error(), c.secret) {
				t.Errorf("%v tells the secret", err)
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

func TestOpenTokensRefuses(t *testing.T) {
	folder := t.TempDir()
	for name, c := range map[string]struct{ path, text string }{
		"nothing":  {filepath.Join(folder, "none.toml"), "none.toml: cannot be read: no such file"},
		"a folder": {folder, "not a regular file"},
		"broken":   {tokenFile(t, "[[token]]\nname = 7\n"), "tokens.toml:"},
		"huge":     {tokenFile(t, strings.Repeat("#\n", maxFileBytes)), "larger than 1 MiB"},
	} {
		if _, err := OpenTokens(c.path, nil); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want %q", name, err, c.text)
		}
	}
}

func TestTokensWarnOfAWideMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no modes")
	}
	path := tokenFile(t, "")
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true} {
		must(t, os.Chmod(path, mode))
		var log testkit.Log
		_, err := OpenTokens(path, log.Logger())
		must(t, err)
		if strings.Contains(log.String(), "chmod 600") != warned {
			t.Errorf("%o: logged %q", mode, log.String())
		}
	}
}

// reloading is a file of tokens that Run follows.
type reloading struct {
	*Tokens
	t    *testing.T
	path string
	log  testkit.Log
}

func reload(t *testing.T, text string) *reloading {
	t.Helper()
	r := &reloading{t: t, path: tokenFile(t, text)}
	var err error
	r.Tokens, err = OpenTokens(r.path, r.log.Logger())
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	running(t, func() { r.Run(ctx) })
	t.Cleanup(cancel)
	return r
}

// save replaces the file and waits until that is in force, or until it is
// logged that it isn't.
func (r *reloading) save(text string, good bool) {
	r.t.Helper()
	changed, before := r.Changed(), strings.Count(r.log.String(), "stay in use")
	must(r.t, replace(r.path, []byte(text)))
	until(r.t, "the file to be read", func() bool {
		select {
		case <-changed:
			return true
		default:
			return strings.Count(r.log.String(), "stay in use") > before
		}
	})
	select {
	case <-changed:
		if !good {
			r.t.Errorf("%q is in force", text)
		}
	default:
		if good {
			r.t.Errorf("%q is not in force: %s", text, r.log.String())
		}
	}
}

func TestTokensAreReloaded(t *testing.T) {
	t.Parallel()
	one, oneEntry := newToken(t, "one", time.Time{})
	two, twoEntry := newToken(t, "two", time.Time{})
	r := reload(t, written(t, oneEntry))
	check := func(token string, good bool) {
		t.Helper()
		if _, err := r.Authenticate(bearing(token)); (err == nil) != good {
			t.Errorf("got %v", err)
		}
	}
	check(two, false)
	r.save(written(t, oneEntry, twoEntry), true)
	check(one, true)
	check(two, true)
	r.save(written(t, twoEntry), true)
	check(one, false)
	check(two, true)
	r.save("[[token]", false)
	check(two, true)
	r.save(" \n", false)
	check(two, true)
	// One that is rotated: the name stays, the old token doesn't.
	three, threeEntry := newToken(t, "two", time.Time{})
	r.save(written(t, threeEntry), true)
	check(two, false)
	check(three, true)
	twoEntry.Name = "more"
	must(t, AddToken(r.path, twoEntry))
	until(t, "an added token", func() bool { _, err := r.Authenticate(bearing(two)); return err == nil })
	changed := r.Changed()
	must(t, os.Remove(r.path))
	until(t, "a word about the file that is gone", func() bool { return strings.Contains(r.log.String(), "is missing") })
	check(two, true)
	select {
	case <-changed:
		t.Error("a file that is gone is a change")
	default:
	}
	must(t, os.WriteFile(r.path, []byte("# none\n"), 0o600))
	until(t, "no tokens", func() bool { _, err := r.Authenticate(bearing(two)); return err != nil })
	for _, secret := range []string{one, two, three} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("a token is in the log")
		}
	}
}

// What is written between OpenTokens and Run is not missed.
func TestRunGoesOnFromWhatWasOpened(t *testing.T) {
	t.Parallel()
	_, entry := newToken(t, "one", time.Time{})
	two, twoEntry := newToken(t, "two", time.Time{})
	path := tokenFile(t, written(t, entry))
	tokens := open(t, path)
	must(t, AddToken(path, twoEntry))
	ctx, cancel := context.WithCancel(t.Context())
	running(t, func() { tokens.Run(ctx) })
	t.Cleanup(cancel)
	until(t, "the second token", func() bool { _, err := tokens.Authenticate(bearing(two)); return err == nil })
}
