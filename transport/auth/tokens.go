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
	path    string
	log     *slog.Logger
	now     func() time.Time
	entries *filewatch.Loaded[entries]
}

// OpenTokens reads the token file at path: a regular file of up to 1 MiB. With a
// nil log, nothing is logged. The error names the file, and the line if it is about one.
func OpenTokens(path string, log *slog.Logger) (*Tokens, error) {
	t := &Tokens{path: path, log: cmp.Or(log, slog.New(slog.DiscardHandler)), now: time.Now}
	var err error
	if t.entries, err = filewatch.Load(t.load, maxFileBytes, path); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return t, nil
}

// Run reads the file again whenever it has changed, until ctx is done, and calls
// changed after that, for [transport.WithAuthentication]. A file that is broken,
// missing or empty changes nothing, which is logged once: to remove the last
// token, leave a comment.
func (t *Tokens) Run(ctx context.Context, changed func()) {
	t.entries.Follow(ctx, t.log, "the former tokens stay in use", func() {
		now := t.entries.Get()
		t.log.Info("tokens were reloaded", "file", t.path, "tokens", len(now.tokens), "certificates", len(now.certificates))
		changed()
	})
}

func (t *Tokens) load(files []filewatch.File) (entries, error) {
	read, err := parse(t.path, files[0].Data)
	// On Windows these bits mean nothing.
	if mode := files[0].Info.Mode().Perm(); err == nil && mode&^0o600 != 0 && runtime.GOOS != "windows" {
		t.log.Warn("others than its owner may read or write the token file: chmod 600", "file", t.path, "mode", mode.String())
	}
	return read, err
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
	entry, ok := t.entries.Get().tokens[presented]
	switch {
	case !ok:
		return plugin.Caller{}, fmt.Errorf("no token has the hash %v", presented)
	case !entry.Expires.IsZero() && !t.now().Before(entry.Expires):
		return plugin.Caller{}, fmt.Errorf("the token %q expired at %s", entry.Name, entry.Expires.Format(time.RFC3339))
	}
	return plugin.Caller{Name: entry.Name, Means: "token", Scopes: slices.Clone(entry.Scopes)}, nil
}
