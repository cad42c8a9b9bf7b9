// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/plexus-go/plexus/internal/filewatch"
	"github.com/plexus-go/plexus/plugin"
)

// Tokens authenticates callers by secrets that a TOML file lists:
//
//	[[token]]
//	name = "ci"
//	hash = "sha256:…"                    # of the token
//	scopes = ["registry:read", "registry:write:team-a-*"]
//	expires = 2030-01-31T12:00:00Z       # optional
//	description = "the build server"     # optional
//
//	[[certificate]]                      # see Tokens.Certificates
//	name = "spiffe://example.org/web"
//	scopes = ["registry:read"]
//
// Make it with [OpenTokens]; [Tokens.Run] keeps it true to the file. Means is
// "token".
type Tokens struct {
	path string
	log  *slog.Logger
	now  func() time.Time
	file *filewatch.Watcher

	mu      sync.RWMutex
	entries entries
	changed chan struct{} // closed at the next change
}

// OpenTokens reads the file of tokens at path: a regular file of up to 1 MiB. A
// nil log is none. The error names the file, and the line where there is one.
func OpenTokens(path string, log *slog.Logger) (*Tokens, error) {
	log = cmp.Or(log, slog.New(slog.DiscardHandler))
	t := &Tokens{path: path, log: log, now: time.Now, file: filewatch.New(maxFileBytes, path), changed: make(chan struct{})}
	if err := t.load(t.file.Read()[0]); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return t, nil
}

// Run reads the file again whenever it has changed, until ctx is done. A file
// that is broken, missing or empty changes nothing, which is logged once: to
// remove the last token, leave a comment.
func (t *Tokens) Run(ctx context.Context) {
	for files := range t.file.Changes(ctx) {
		if err := t.load(files[0]); err != nil {
			t.log.Error("the tokens from before stay in force", "error", err)
			continue
		}
		t.mu.RLock()
		t.log.Info("tokens were reloaded", "file", t.path, "tokens", len(t.entries.tokens), "certificates", len(t.entries.certificates))
		t.mu.RUnlock()
	}
}

// load puts in force what a file holds.
func (t *Tokens) load(file filewatch.File) error {
	if file.Err != nil {
		return fmt.Errorf("%s: %w", t.path, file.Err)
	}
	read, err := parse(t.path, file.Data)
	if err != nil {
		return err
	}
	// On Windows these bits mean nothing.
	if mode := file.Info.Mode().Perm(); mode&^0o600 != 0 && runtime.GOOS != "windows" {
		t.log.Warn("others than its owner may use the file of tokens: chmod 600", "file", t.path, "mode", mode.String())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = read
	close(t.changed)
	t.changed = make(chan struct{})
	return nil
}

// Changed returns a channel that is closed when the file has been read again.
// Then it is time to ask Authenticate about the connections that live: a token
// may be gone, or may do other things. Ask for the next channel before that.
func (t *Tokens) Changed() <-chan struct{} {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.changed
}

// Authenticate returns the caller whose token the request carries. A JWT is for
// another authenticator to judge.
func (t *Tokens) Authenticate(r *http.Request) (plugin.Caller, error) {
	secret, err := secretOf(r.Header)
	if err != nil {
		return plugin.Caller{}, err
	}
	if isJWT(secret) {
		return plugin.Caller{}, fmt.Errorf("a JWT: %w", errNotForUs)
	}
	presented, err := digestOf(secret)
	if err != nil {
		return plugin.Caller{}, err
	}
	entry, ok := t.find(presented)
	switch {
	case !ok:
		return plugin.Caller{}, fmt.Errorf("no token has the hash %v", presented)
	case !entry.Expires.IsZero() && !t.now().Before(entry.Expires):
		return plugin.Caller{}, fmt.Errorf("the token %q expired at %s", entry.Name, entry.Expires.Format(time.RFC3339))
	}
	return plugin.Caller{Name: entry.Name, Means: "token", Scopes: slices.Clone(entry.Scopes)}, nil
}

// find looks a token up. How long the map takes depends on digests alone, which
// nobody can choose: to come near to one that is stored, one would have to find
// tokens whose SHA-256 begins as it does, and would learn nothing of the token.
// That the digest is the one which was found is compared in constant time even
// so, so that it need not be argued about how a map compares.
func (t *Tokens) find(presented digest) (Entry, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	entry, ok := t.entries.tokens[presented]
	if !ok {
		return Entry{}, false
	}
	stored, err := parseDigest(entry.Hash)
	return entry, err == nil && subtle.ConstantTimeCompare(stored[:], presented[:]) == 1
}
