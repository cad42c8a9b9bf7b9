// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/plexus-go/plexus/storage"
)

const (
	// applicationID marks our databases ("plxr" in ASCII).
	applicationID = 0x706c7872
	// schemaVersion is the present form of the tables: PRAGMA user_version.
	schemaVersion = 2

	// The header of a SQLite file, and where its application ID lies in it.
	magic               = "SQLite format 3\x00"
	headerSize          = 100
	applicationIDOffset = 68

	// busyTimeout is how long we wait for another program that holds a lock,
	// such as the sqlite3 tool.
	busyTimeout = 5 * time.Second
)

// backendsTable is the reference registry's table, which is where ours begins.
const backendsTable = `
CREATE TABLE IF NOT EXISTS backends (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	host TEXT NOT NULL,
	port INTEGER NOT NULL,
	protocol TEXT NOT NULL,
	description TEXT,
	namespace TEXT,
	version TEXT,
	metadata TEXT,
	source TEXT NOT NULL,
	is_active INTEGER NOT NULL DEFAULT 1,
	registered_at INTEGER NOT NULL,
	last_seen INTEGER,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL
);`

// referenceColumns are those of backendsTable.
var referenceColumns = strings.Fields(`id name host port protocol description namespace version metadata
	source is_active registered_at last_seen created_at updated_at`)

// additions are the columns that we add. Each is added where it is missing, so that
// it does not matter which version, copy or dump a database comes from.
var additions = []struct{ table, column, definition string }{
	{"backends", "runtime", "INTEGER NOT NULL DEFAULT 0"},
	{"backends", "lease_id", "TEXT NOT NULL DEFAULT ''"},
	{"backends", "lease_seconds", "INTEGER NOT NULL DEFAULT 0"},
	{"backends", "adopted", "INTEGER NOT NULL DEFAULT 0"},
	{"backends", "inactive_reason", "TEXT NOT NULL DEFAULT ''"},
	{"backends", "answers_as", "TEXT NOT NULL DEFAULT ''"},
	{"backends", "revision", "INTEGER NOT NULL DEFAULT 0"},
	{"registry_meta", "schema_version", "INTEGER NOT NULL DEFAULT 0"}, // as PRAGMA user_version, which a dump loses
	{"registry_meta", "history", "TEXT NOT NULL DEFAULT ''"},          // identifies the present opening
	{"registry_meta", "ancestors", "TEXT NOT NULL DEFAULT ''"},        // those that ended where the present one began
	{"registry_meta", "origin", "INTEGER NOT NULL DEFAULT 0"},         // the revision of that moment
	{"registry_meta", "digest", "INTEGER NOT NULL DEFAULT 0"},         // of the rows, as we have written them
}

// metaTable is the one row about all others.
const metaTable = `
CREATE TABLE IF NOT EXISTS registry_meta (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	revision INTEGER NOT NULL
);
INSERT OR IGNORE INTO registry_meta (id, revision) VALUES (1, 0);`

// adopt gives the rows that have no revision one, as one change: those of the
// reference registry at a migration, and any that it has added since. What a call
// has registered there outlives a restart; file and environment are loaded anew.
const adopt = `
UPDATE registry_meta
SET revision = max(revision, (SELECT coalesce(max(revision), 0) FROM backends))
	+ EXISTS (SELECT 1 FROM backends WHERE revision <= 0);
UPDATE backends
SET runtime = source IN ('manual', 'auto'),
	adopted = source NOT IN ('manual', 'auto'),
	revision = (SELECT revision FROM registry_meta)
WHERE revision <= 0;`

// openConn opens a connection that waits for the locks of other programs.
func openConn(name string, flags sqlite.OpenFlags) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(name, flags)
	if err == nil {
		conn.SetBusyTimeout(busyTimeout)
	}
	return conn, err
}

// setUp brings the tables to the present form, in one transaction. Only then does
// it change how the file is written.
func setUp(conn *sqlite.Conn, path string, log *slog.Logger) error {
	if err := migrate(conn, log); err != nil {
		return err
	}
	pragmas := []string{"PRAGMA synchronous = FULL"}
	if path != memory {
		// The log is cut back to this many bytes after it was larger once.
		pragmas = append(pragmas, "PRAGMA journal_size_limit = 16777216")
		stmt, err := conn.Prepare("PRAGMA journal_mode = WAL")
		mode := ""
		if err == nil {
			mode, err = sqlitex.ResultText(stmt)
		}
		if err == nil && mode != "wal" {
			err = fmt.Errorf("the journal mode stays %q", mode)
		}
		if err != nil {
			return fmt.Errorf("switching to write-ahead logging: %w", err)
		}
	}
	for _, pragma := range pragmas {
		if err := exec(conn, pragma, nil); err != nil {
			return fmt.Errorf("%s: %w", pragma, err)
		}
	}
	return nil
}

func migrate(conn *sqlite.Conn, log *slog.Logger) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	// Asked again, now that a journal, if there was one, has been replayed.
	if err := checkSchema(conn); err != nil {
		return err
	}
	if err := sqlitex.ExecuteScript(conn, backendsTable+metaTable, nil); err != nil {
		return fmt.Errorf("creating tables: %w", err)
	}
	for _, add := range additions {
		names, err := columnsOf(conn, add.table)
		if err == nil && !slices.Contains(names, add.column) {
			err = exec(conn, "ALTER TABLE "+add.table+" ADD COLUMN "+add.column+" "+add.definition, nil)
		}
		if err != nil {
			return fmt.Errorf("adding column %q to table %q: %w", add.column, add.table, err)
		}
	}
	if err := normalizeNames(conn, log); err != nil {
		return fmt.Errorf("giving names their one form: %w", err)
	}
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; UPDATE registry_meta SET schema_version = %[2]d;",
		applicationID, schemaVersion)
	if err := sqlitex.ExecuteScript(conn, mark+adopt, nil); err != nil {
		return fmt.Errorf("adopting the rows of another program: %w", err)
	}
	return nil
}

// normalizeNames renames rows of other programs and earlier versions, so that names
// are found. Of two that have one name, the one that was updated last stays, and the
// log has the other.
func normalizeNames(conn *sqlite.Conn, log *slog.Logger) error {
	var odd []string
	err := sqlitex.Execute(conn, "SELECT name FROM backends", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		if name := stmt.ColumnText(0); storage.NormalizeName(name) != name {
			odd = append(odd, name)
		}
		return nil
	}})
	for _, name := range odd {
		args := &sqlitex.ExecOptions{
			Args: []any{name, storage.NormalizeName(name)},
			ResultFunc: func(stmt *sqlite.Stmt) error {
				log.Warn("two stored backends have one name: the one that was updated earlier is removed",
					"backend", stmt.GetText("name"), "host", stmt.GetText("host"), "port", stmt.GetInt64("port"))
				return nil
			},
		}
		for _, statement := range []string{
			`DELETE FROM backends WHERE name IN (?1, ?2) AND rowid NOT IN (
				SELECT rowid FROM backends WHERE name IN (?1, ?2) ORDER BY updated_at DESC, name = ?2 DESC LIMIT 1)
				RETURNING name, host, port`,
			`UPDATE backends SET name = ?2 WHERE name = ?1`,
		} {
			if err == nil {
				err = sqlitex.Execute(conn, statement, args)
			}
		}
	}
	return err
}

// columnsOf returns the names of the columns of a table, in lower case; none where
// there is no such table.
func columnsOf(conn *sqlite.Conn, table string) (names []string, err error) {
	err = sqlitex.Execute(conn, "SELECT lower(name) FROM pragma_table_info(?)", &sqlitex.ExecOptions{
		Args: []any{table},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			names = append(names, stmt.ColumnText(0))
			return nil
		}})
	return names, err
}

// checkSchema fails unless the database is one that we may open: one of ours, an
// empty one or the reference registry's. It only reads.
func checkSchema(conn *sqlite.Conn) (err error) {
	read := func(query string) (value int64) {
		if err == nil {
			value, err = queryInt(conn, query)
		}
		return value
	}
	columns := func(table string) (names []string) {
		if err == nil {
			names, err = columnsOf(conn, table)
		}
		return names
	}
	id, stored := read("PRAGMA application_id"), read("PRAGMA user_version")
	tables := read("SELECT count(*) FROM sqlite_schema")
	present := columns("backends")
	missing := slices.DeleteFunc(slices.Clone(referenceColumns), func(name string) bool { return slices.Contains(present, name) })
	unique := read(`SELECT count(*) FROM pragma_index_list('backends') AS list WHERE "unique" AND NOT partial
		AND (SELECT group_concat(lower(name)) FROM pragma_index_info(list.name)) = 'name'`)
	if id == 0 && stored == 0 && slices.Contains(columns("registry_meta"), "schema_version") {
		// A dump has the tables, and no pragmas.
		id, stored = applicationID, read("SELECT coalesce(max(schema_version), 1) FROM registry_meta")
	}
	switch {
	case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultNotADB:
		return fmt.Errorf("%w: file is not a SQLite database", ErrForeign)
	case err != nil:
		return fmt.Errorf("reading: %w", err)
	case id != 0 && id != applicationID:
		return fmt.Errorf("%w: its application_id %#x is another program's", ErrForeign, uint32(id))
	case id == 0 && tables == 0 && stored == 0:
		return nil
	case len(missing) == len(referenceColumns):
		return fmt.Errorf(`%w: it has no table "backends"`, ErrForeign)
	case len(missing) > 0:
		return fmt.Errorf(`%w: its table "backends" has no column %q`, ErrForeign, missing[0])
	case unique == 0: // it was copied without its constraints
		return fmt.Errorf(`%w: its table "backends" may have a name twice`, ErrForeign)
	case stored > schemaVersion:
		return fmt.Errorf("%w: schema version %d, known up to %d", ErrNewer, stored, schemaVersion)
	case id == 0 && stored != 0, id != 0 && stored < 1:
		return fmt.Errorf("%w: no registry has schema version %d with application_id %#x", ErrForeign, stored, id)
	}
	return nil
}
