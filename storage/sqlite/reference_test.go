// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"bytes"
	"cmp"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
)

func copyReference(t *testing.T, path string) {
	t.Helper()
	copyFile(t, path, filepath.Join("testdata", "reference-registry.db"))
}

// TestReferenceDatabase checks what a migration adds. What is in the other columns,
// TestReferenceDatabaseIsServedUnchanged of plugin/registry reads.
func TestReferenceDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	copyReference(t, path)
	names := []string{"fromenv", "gone", "hub2", "lg-000006", "lg-000007", "odd-port", "odd-protocol", "prod"}
	var first int64
	for _, opening := range []string{"first", "second"} {
		var log bytes.Buffer
		s := mustOpen(t, path, sqlite.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		rows, at, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		first = cmp.Or(first, at.Revision)
		var listed []string
		for _, b := range rows {
			listed = append(listed, b.Name)
			registered := b.Source == storage.SourceManual || b.Source == storage.SourceAuto
			if b.Runtime != registered || b.Adopted == registered || b.Inactive.Has(^storage.ReasonUnknown) || b.LeaseID != "" || b.Revision != first || first < 1 {
				t.Errorf("%s opening: at revision %d there is %+v", opening, first, b)
			}
		}
		if !slices.Equal(listed, names) {
			t.Errorf("%s opening: listed %q", opening, listed)
		}
		warnings := log.String()
		if strings.Count(warnings, "level=WARN") != 2 || strings.Count(warnings, "\n") != 2 ||
			!strings.Contains(warnings, `backend=odd-port rule="port 0 is not 1–65535"`) ||
			!strings.Contains(warnings, `backend=odd-protocol`) || !strings.Contains(warnings, `is neither`) {
			t.Errorf("%s opening logged %q", opening, warnings)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What the other program writes later, with the columns that it knows, is
// numbered at the next start, and our rows are there for it to read.
func TestReferenceProgramWritesAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	copyReference(t, path)
	s := mustOpen(t, path)
	last := mustPut(t, s, "ours").Revision
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	script(t, path, `
INSERT INTO backends (id, name, host, port, protocol, source, registered_at, created_at, updated_at)
	VALUES ('i1', 'theirs', 'h', 1, 'ws', 'manual', 1, 2, 3), ('i2', 'their file', 'h', 1, 'ws', 'file', 1, 2, 3);`)
	if got := query(t, path, "SELECT host || port || protocol || source FROM backends WHERE name = 'ours'"); got != "localhost4444wsmanual" {
		t.Errorf("the other program reads %q", got)
	}
	s = mustOpen(t, path)
	theirs, err := s.Get(t.Context(), "theirs")
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.Get(t.Context(), "their file")
	if err != nil {
		t.Fatal(err)
	}
	if !theirs.Runtime || file.Runtime || !theirs.Active() {
		t.Errorf("runtime %v and %v, active %v", theirs.Runtime, file.Runtime, theirs.Active())
	}
	if theirs.Revision != file.Revision || theirs.Revision <= last {
		t.Errorf("revisions %d and %d after %d", theirs.Revision, file.Revision, last)
	}
	if next := mustPut(t, s, "next").Revision; next <= max(theirs.Revision, file.Revision) {
		t.Errorf("revision %d after %d and %d", next, theirs.Revision, file.Revision)
	}
}

// Another program knows no reasons: it changes is_active alone.
func TestOtherProgramsActivateAndDeactivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := mustOpen(t, path)
	mustPut(t, s, "here")
	gone := mustPut(t, s, "gone")
	gone.Inactive = storage.ReasonDeregistered | storage.ReasonUnhealthy
	if _, err := s.Apply(t.Context(), storage.Write{Backend: gone}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, "SELECT group_concat(is_active || inactive_reason, ' ') FROM (SELECT * FROM backends ORDER BY name)"); got != "0deregistered,unhealthy 1" {
		t.Errorf("stored are %s", got)
	}
	script(t, path, "UPDATE backends SET is_active = 1 - is_active")
	s = mustOpen(t, path)
	for name, want := range map[string]storage.Reasons{"gone": 0, "here": storage.ReasonUnknown} {
		if b, err := s.Get(t.Context(), name); err != nil || b.Inactive != want {
			t.Errorf("%s: inactive %q, %v; want %q", name, b.Inactive, err, want)
		}
	}
}

// A write to a migrated row keeps what another program has in its own columns.
func TestForeignColumnsStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	copyReference(t, path)
	script(t, path, "ALTER TABLE backends ADD COLUMN theirs TEXT DEFAULT 'x'; UPDATE backends SET theirs = 'kept'")
	s := mustOpen(t, path)
	mustPut(t, s, "prod")
	if got := query(t, path, "SELECT theirs FROM backends WHERE name = 'prod'"); got != "kept" {
		t.Errorf("the column holds %q", got)
	}
}
