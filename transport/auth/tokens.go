// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
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
	mark    readerMark
}

func openTokens(path string, log *slog.Logger) (*tokenFile, error) {
	t := &tokenFile{path: path, log: log}
	var err error
	if t.entries, err = filewatch.Load(t.load, maxFileBytes, path); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	t.mark.set(t.path)
	return t, nil
}

func (t *tokenFile) run(ctx context.Context, changed func()) {
	defer t.mark.remove()
	t.entries.Follow(ctx, t.log, "the former tokens stay in use", func() {
		t.mark.set(t.path) // the tokens are in use by now
		now := t.entries.Get()
		t.log.Info("tokens were reloaded", "file", t.path, "tokens", len(now.tokens), "certificates", len(now.certificates))
		changed()
	})
}

func (t *tokenFile) load(files []filewatch.File) (entries, error) {
	read, err := parse(t.path, files[0].Data)
	if err != nil {
		return read, err
	}
	if wrong := wrongMode(files[0].Info, os.Geteuid(), groups()); wrong != "" {
		t.log.Warn(wrong, "file", t.path, "mode", files[0].Info.Mode().String())
	}
	return read, nil
}

// warnings returns what is wrong with the file at the moment.
func (t *tokenFile) warnings() (all []string) {
	if err := t.entries.Err(); err != nil {
		all = append(all, fmt.Sprintf("the former tokens stay in use: %v", err))
	}
	if info, err := os.Stat(t.path); err == nil {
		if wrong := wrongMode(info, os.Geteuid(), groups()); wrong != "" {
			all = append(all, t.path+": "+wrong)
		}
	}
	return all
}

// groups are those of this process.
func groups() []int {
	all, _ := os.Getgroups() // without them, advice is given to one who needs none
	return append(all, os.Getegid())
}

// wrongMode says which others may read or write a file, and what to do about it so
// that this process, of a user and its groups, can still read it. It is empty for a
// file of this user that only it may use, and for one of another user that the
// group may read, too.
func wrongMode(info fs.FileInfo, user int, groups []int) string {
	owner, group, ok := filewatch.Owner(info)
	if !ok { // as on Windows, where these bits mean nothing
		return ""
	}
	mode, allowed := info.Mode().Perm(), fs.FileMode(0o700)
	if owner != user {
		allowed = 0o740
	}
	excess, may := mode&0o066&^allowed, "read and write"
	switch {
	case excess == 0:
		return ""
	case excess&0o022 == 0:
		may = "read"
	case excess&0o044 == 0:
		may = "write"
	}
	if owner != user && user != 0 && !slices.Contains(groups, group) { // this process is one of the others
		return fmt.Sprintf("others than its owner and this process may %s the token file: give it to a group of this process with chgrp, then chmod 640", may)
	}
	who := "its owner"
	if owner != user {
		who = "its owner and group"
		if excess&0o006 == 0 {
			who = "its owner"
		}
	}
	return fmt.Sprintf("others than %s may %s the token file: chmod %o", who, may, mode&allowed&0o640)
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
