// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/plexus-go/plexus/internal/filewatch"
	"github.com/plexus-go/plexus/plugin"
)

// tokenFile authenticates callers by the tokens that a TOML file lists.
type tokenFile struct {
	path    string
	log     *slog.Logger
	entries *filewatch.Loaded[entries]
}

func openTokens(path string, log *slog.Logger) (*tokenFile, error) {
	t := &tokenFile{path: path, log: log}
	var err error
	if t.entries, err = filewatch.Load(t.load, maxFileBytes, path); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return t, nil
}

func (t *tokenFile) run(ctx context.Context, changed func()) {
	t.entries.Follow(ctx, t.log, "the former tokens stay in use", func() {
		now := t.entries.Get()
		t.log.Info("tokens were reloaded", "file", t.path, "tokens", len(now.tokens), "certificates", len(now.certificates))
		changed()
	})
}

func (t *tokenFile) load(files []filewatch.File) (entries, error) {
	read, err := parse(t.path, files[0].Data)
	// On Windows these bits mean nothing.
	if mode := files[0].Info.Mode().Perm(); err == nil && mode&^0o600 != 0 && runtime.GOOS != "windows" {
		t.log.Warn("others than its owner may read or write the token file: chmod 600", "file", t.path, "mode", mode.String())
	}
	return read, err
}

// authenticate returns the caller whose token it is.
func (t *tokenFile) authenticate(token string) (plugin.Caller, error) {
	presented, err := digestOf(token)
	if err != nil {
		return plugin.Caller{}, err
	}
	// How long this takes depends only on digests. To learn anything by it, one
	// would need tokens whose SHA-256 begins like a stored one.
	entry, ok := t.entries.Get().tokens[presented]
	switch {
	case !ok:
		return plugin.Caller{}, fmt.Errorf("no token has the hash %v", presented)
	case !entry.Expires.IsZero() && !time.Now().Before(entry.Expires):
		return plugin.Caller{}, fmt.Errorf("the token %q expired at %s", entry.Name, entry.Expires.Format(time.RFC3339))
	}
	return plugin.Caller{Name: entry.Name, Means: "token", Scopes: slices.Clone(entry.Scopes)}, nil
}
