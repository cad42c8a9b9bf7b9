// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plexus-go/plexus/transport"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// request makes a request with headers: each a name, followed by its value.
func request(headers ...string) *http.Request {
	r := &http.Request{Method: http.MethodGet, Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func bearing(secret string) *http.Request { return request("Authorization", "Bearer "+secret) }

// fails checks an error: transport.ErrNoCredentials, errKind or any other,
// which then has the text.
func fails(t *testing.T, err, want error, text string) {
	t.Helper()
	switch {
	case err == nil:
		t.Error("it was accepted")
	case want != nil && !errors.Is(err, want):
		t.Errorf("got %v, want %v", err, want)
	case want == nil && (errors.Is(err, transport.ErrNoCredentials) || errors.Is(err, errKind)):
		t.Errorf("got %v, want another error", err)
	case !strings.Contains(err.Error(), text):
		t.Errorf("got %v, want %q in it", err, text)
	}
}

// follow calls run until the end of the test, and returns how often it has
// reported a change.
func follow(t *testing.T, run func(context.Context, func())) (changes *atomic.Int64) {
	t.Helper()
	changes = new(atomic.Int64)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { run(ctx, func() { changes.Add(1) }) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return changes
}

// writeTokens writes a token file, and returns its path.
func writeTokens(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.toml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// newToken makes a token and its entry.
func newToken(t testing.TB, name string, expires time.Time, scopes ...string) (string, Entry) {
	t.Helper()
	token, entry, err := NewToken(name, scopes, expires)
	must(t, err)
	return token, entry
}

// written returns a token file with these entries.
func written(t testing.TB, entries ...Entry) string {
	t.Helper()
	var text []byte
	for _, entry := range entries {
		var err error
		text, err = appended(text, entry)
		must(t, err)
	}
	return string(text)
}
