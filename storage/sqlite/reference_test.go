// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
)

func copyReference(t *testing.T, path string) {
	t.Helper()
	copyFile(t, path, filepath.Join("testdata", "reference-registry.db"))
}

// referenceRows are those of the database that the other program wrote, in
// the order of their names, as they must be listed.
func referenceRows() []storage.Backend {
	text := func(s string) *string { return &s }
	const at = 1795337263
	row := func(name, id, host string, port int, protocol, description, namespace string, source storage.Source) storage.Backend {
		b := storage.Backend{
			Name: name, ID: id, Host: host, Port: port, Protocol: protocol, Source: source,
			Runtime: source == storage.SourceManual || source == storage.SourceAuto, Active: true,
			Adopted:      source == storage.SourceFile || source == storage.SourceEnv,
			RegisteredAt: at, CreatedAt: at, UpdatedAt: at,
		}
		if description != "" {
			b.Description = text(description)
		}
		if namespace != "" {
			b.Namespace = text(namespace)
		}
		return b
	}
	rows := []storage.Backend{
		row("fromenv", "7fc73d01-aa85-49fe-967b-96640e8b28b5", "10.0.0.5", 1029, "ws", "Load generator backend number 5", "plexus", "env"),
		row("gone", "305598fd-64ba-4071-a4de-78515bb26cf5", "10.0.0.2", 1026, "ws", "Stopped last week", "plexus", "manual"),
		row("hub2", "59517513-f993-40fc-8201-5288da094332", "127.0.0.1", 4457, "ws", "", "", "auto"),
		row("lg-000006", "04965a97-0fcb-4a68-a434-4ae856bb8f92", "10.0.0.6", 1030, "ws", "Load generator backend number 6", "plexus", "manual"),
		row("lg-000007", "9ccc3b1e-fcab-434f-b9b5-dccc6cc738e9", "10.0.0.7", 1031, "ws", "Load generator backend number 7", "plexus", "manual"),
		row("odd-port", "b91a59f6-f1da-4569-8cbe-edfc8cd49493", "10.0.0.3", 0, "WS", "Load generator backend number 3", "plexus", "manual"),
		row("odd-protocol", "8f7329e0-9938-4f4e-bff0-86b048d8e1d3", "10.0.0.4", 1028, "http", "Load generator backend number 4", "plexus", "manual"),
		row("prod", "69b61267-a587-4193-9377-23db402d4fbe", "plexus.example.com", 4444, "wss", "Production — é ☃", "substrate", "file"),
	}
	rows[1].Active, rows[1].LastSeen = false, 1795330000
	rows[2].Version, rows[2].Metadata = text("1.0.0"), json.RawMessage(`{"pid":4711,"schema_hash":"00e9e57b321aa1bc"}`)
	rows[7].LastSeen = 1795337300
	return rows
}

func TestReferenceDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	copyReference(t, path)
	var revisions []int64
	for _, opening := range []string{"first", "second"} {
		var log bytes.Buffer
		s := mustOpen(t, path, sqlite.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		rows, revision, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := referenceRows()
		if len(rows) != len(want) {
			t.Fatalf("%s opening: listed %d backends, want %d", opening, len(rows), len(want))
		}
		for i, got := range rows {
			if got.Revision < 1 || got.Revision > revision || got.Revision != rows[0].Revision {
				t.Errorf("%s opening: %q has revision %d of %d", opening, got.Name, got.Revision, revision)
			}
			if opening == "first" {
				revisions = append(revisions, got.Revision)
			} else if got.Revision != revisions[i] {
				t.Errorf("%q had revision %d, now %d", got.Name, revisions[i], got.Revision)
			}
			got.Revision = 0
			if !reflect.DeepEqual(got, want[i]) {
				t.Errorf("%s opening: got  %+v\nwant %+v", opening, got, want[i])
			}
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
	if !theirs.Runtime || file.Runtime || !theirs.Active {
		t.Errorf("runtime %v and %v, active %v", theirs.Runtime, file.Runtime, theirs.Active)
	}
	if theirs.Revision != file.Revision || theirs.Revision <= last {
		t.Errorf("revisions %d and %d after %d", theirs.Revision, file.Revision, last)
	}
	if next := mustPut(t, s, "next").Revision; next <= max(theirs.Revision, file.Revision) {
		t.Errorf("revision %d after %d and %d", next, theirs.Revision, file.Revision)
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
