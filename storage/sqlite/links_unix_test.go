// SPDX-License-Identifier: AGPL-3.0-only

//go:build unix

package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/storage/sqlite"
)

// A hard link is another lock and another log for the same pages: two
// registries would write over each other.
func TestHardLinkIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "registry.db"), filepath.Join(dir, "link.db")
	s := mustOpen(t, path)
	mustPut(t, s, "before")
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	refused := func(name string) {
		t.Helper()
		before := snapshot(t, dir)
		other, err := sqlite.Open(t.Context(), name)
		if err == nil {
			other.Close()
			t.Fatalf("%s was opened", name)
		}
		if text := err.Error(); !strings.Contains(text, name) || !strings.Contains(text, "2 names (hard links)") || strings.Contains(text, "\n") {
			t.Errorf("error %q", text)
		}
		wantSnapshot(t, dir, before)
	}
	refused(link)
	if _, err := sqlite.Open(t.Context(), path); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("error %v, want %v", err, sqlite.ErrInUse)
	}
	mustPut(t, s, "after") // the first is not disturbed
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Neither name is better than the other, until one is gone.
	refused(path)
	refused(link)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	for _, name := range []string{"before", "after"} {
		if _, err := s.Get(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if got := query(t, path, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity_check: %s", got)
	}
}
