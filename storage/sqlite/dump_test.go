// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/plexus-go/plexus/storage/sqlite"
)

// dump writes a database anew from SQL, as `sqlite3 from .dump | sqlite3 to` does:
// the tables whose names match, and no pragmas.
func dump(t *testing.T, to, from, tables string) {
	t.Helper()
	source, target := another(t, from, zombiezen.OpenReadOnly), another(t, to, zombiezen.OpenReadWrite|zombiezen.OpenCreate)
	rows := func(query string, each func(stmt *zombiezen.Stmt)) {
		t.Helper()
		err := sqlitex.ExecuteTransient(source, query, &sqlitex.ExecOptions{ResultFunc: func(stmt *zombiezen.Stmt) error {
			each(stmt)
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	var names, statements []string
	rows("SELECT sql, name, type FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name LIKE '"+tables+"'", func(stmt *zombiezen.Stmt) {
		statements = append(statements, stmt.ColumnText(0))
		if stmt.ColumnText(2) == "table" {
			names = append(names, stmt.ColumnText(1))
		}
	})
	for _, name := range names {
		var columns []string
		rows("SELECT 'quote(' || name || ')' FROM pragma_table_info('"+name+"')", func(stmt *zombiezen.Stmt) {
			columns = append(columns, stmt.ColumnText(0))
		})
		rows("SELECT "+strings.Join(columns, " || ',' || ")+" FROM "+name, func(stmt *zombiezen.Stmt) {
			statements = append(statements, fmt.Sprintf("INSERT INTO %s VALUES (%s)", name, stmt.ColumnText(0)))
		})
	}
	if err := sqlitex.ExecuteScript(target, strings.Join(statements, ";\n"), nil); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}

// firstVersion makes a database of schema version 1.
const firstVersion = `
ALTER TABLE backends ADD COLUMN runtime INTEGER NOT NULL DEFAULT 0;
ALTER TABLE backends ADD COLUMN lease_id TEXT NOT NULL DEFAULT '';
ALTER TABLE backends ADD COLUMN lease_seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE backends ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE backends ADD COLUMN inactive_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE backends ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
CREATE TABLE registry_meta (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
INSERT INTO registry_meta (id, revision) VALUES (1, 41);
UPDATE backends SET revision = 41;
PRAGMA application_id = 0x706c7872;
PRAGMA user_version = 1;`

// A dump has the tables of a database, and neither its version nor its
// application_id.
func TestOpenTakesADump(t *testing.T) {
	first := func(t *testing.T, path string) {
		copyReference(t, path)
		script(t, path, firstVersion)
	}
	present := func(t *testing.T, path string) {
		first(t, path)
		mustClose(t, mustOpen(t, path))
	}
	for _, test := range []struct {
		name     string
		make     func(t *testing.T, path string)
		tables   string
		after    string // SQL that is run on the copy
		revision int64  // that the rows must have
		want     error
	}{
		{"of the present version", present, "%", "", 41, nil},
		{"of the first version", first, "%", "", 41, nil},
		{"of the reference registry", copyReference, "%", "", 1, nil},
		{"of one table of the present version", present, "backends", "", 41, nil},
		{"of one table of the first version", first, "backends", "", 41, nil},
		{"without the row about the others", present, "%", "DELETE FROM registry_meta", 41, nil},
		{"with statistics", present, "%", "ANALYZE", 41, nil},
		{"of a newer version", present, "%", "UPDATE registry_meta SET schema_version = 77", 0, sqlite.ErrNewer},
		{"of another program's table", present, "registry_meta", "", 0, sqlite.ErrForeign},
		{"without unique names", present, "registry_meta", "ATTACH ? AS a; CREATE TABLE backends AS SELECT * FROM a.backends", 0, sqlite.ErrForeign},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path, copied := filepath.Join(dir, "registry.db"), filepath.Join(dir, "copy.db")
			test.make(t, path)
			dump(t, copied, path, test.tables)
			script(t, copied, strings.Replace(test.after, "?", "'"+path+"'", 1))
			if test.want != nil {
				before := snapshot(t, dir)
				if _, err := sqlite.Open(t.Context(), copied); !errors.Is(err, test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
				wantSnapshot(t, dir, before)
				return
			}
			s := mustOpen(t, copied)
			original := mustOpen(t, path)
			backends, _, err := s.List(t.Context())
			if err != nil || len(backends) != 8 {
				t.Fatalf("%d backends, %v", len(backends), err)
			}
			for _, b := range backends {
				if want, err := original.Get(t.Context(), b.Name); err != nil || b.Host != want.Host || b.Port != want.Port ||
					b.Active() != want.Active() || b.CreatedAt != want.CreatedAt || b.Revision != test.revision {
					t.Errorf("%+v\nwant %+v, %v", b, want, err)
				}
			}
			if next := mustPut(t, s, "prod").Revision; next != test.revision+1 {
				t.Errorf("the next revision is %d", next)
			}
			mustClose(t, s)
			mustPut(t, mustOpen(t, copied), "again")
		})
	}
}
