// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/plexus-go/plexus/internal/filewatch"
	"github.com/plexus-go/plexus/plugin"
)

// Tokens authenticates callers by the tokens that a TOML file lists:
//
//	[[token]]
//	name = "ci"
//	hash = "sha256:…"                    # of the token
//	scopes = ["registry:read", "registry:write:team-a-*"]
//	expires = 2030-01-31T12:00:00Z       # optional
//	description = "the build server"     # optional
//
//	[[certificate]]                      # see AuthenticateCertificate
//	name = "spiffe://example.org/web"
//	scopes = ["registry:read"]
//
// Make it with [OpenTokens]; [Tokens.Run] follows the file.
type Tokens struct {
	path string
	log  *slog.Logger
	now  func() time.Time
	file *filewatch.Watcher

	entries atomic.Pointer[entries]
}

// OpenTokens reads the token file at path: a regular file of up to 1 MiB. With a
// nil log, nothing is logged. The error names the file, and the line if it is about one.
func OpenTokens(path string, log *slog.Logger) (*Tokens, error) {
	log = cmp.Or(log, slog.New(slog.DiscardHandler))
	t := &Tokens{path: path, log: log, now: time.Now, file: filewatch.New(maxFileBytes, path)}
	if err := t.load(t.file.Read()[0]); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return t, nil
}

// Run reads the file again whenever it has changed, until ctx is done, and calls
// changed after that, for [transport.WithAuthentication]. A file that is broken,
// missing or empty changes nothing, which is logged once: to remove the last
// token, leave a comment.
func (t *Tokens) Run(ctx context.Context, changed func()) {
	for files := range t.file.Changes(ctx) {
		if err := t.load(files[0]); err != nil {
			t.log.Error("the former tokens stay in use", "error", err)
			continue
		}
		entries := t.entries.Load()
		t.log.Info("tokens were reloaded", "file", t.path, "tokens", len(entries.tokens), "certificates", len(entries.certificates))
		changed()
	}
}

// load makes the content of the file the current one.
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
		t.log.Warn("others than its owner may read or write the token file: chmod 600", "file", t.path, "mode", mode.String())
	}
	t.entries.Store(&read)
	return nil
}

// Authenticate returns the caller whose token the request carries. Its Means is
// "token".
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
	// How long this takes depends only on digests. To learn anything by it, one
	// would need tokens whose SHA-256 begins like a stored one.
	entry, ok := t.entries.Load().tokens[presented]
	switch {
	case !ok:
		return plugin.Caller{}, fmt.Errorf("no token has the hash %v", presented)
	case !entry.Expires.IsZero() && !t.now().Before(entry.Expires):
		return plugin.Caller{}, fmt.Errorf("the token %q expired at %s", entry.Name, entry.Expires.Format(time.RFC3339))
	}
	return plugin.Caller{Name: entry.Name, Means: "token", Scopes: slices.Clone(entry.Scopes)}, nil
}
