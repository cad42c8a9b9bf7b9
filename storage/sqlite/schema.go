// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	// applicationID marks our databases ("plxr" in ASCII).
	applicationID = 0x706c7872
	// schemaVersion is the present form of the tables: PRAGMA user_version.
	schemaVersion = 1

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

// migrations lead from one schema version to the next; the first starts at an
// empty database or the reference registry's.
var migrations = [schemaVersion]string{
	backendsTable + `
ALTER TABLE backends ADD COLUMN runtime INTEGER NOT NULL DEFAULT 0;
ALTER TABLE backends ADD COLUMN lease_id TEXT NOT NULL DEFAULT '';
ALTER TABLE backends ADD COLUMN lease_seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE backends ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE backends ADD COLUMN inactive_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE backends ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
CREATE TABLE registry_meta (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	revision INTEGER NOT NULL
);
INSERT INTO registry_meta (id, revision) VALUES (1, 0);`,
}

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

// setUp brings the tables to the present form, in one transaction, and returns
// the store's revision. Only then does it change how the file is written.
func setUp(conn *sqlite.Conn, path string) (revision int64, err error) {
	if err := migrate(conn); err != nil {
		return 0, err
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
			return 0, fmt.Errorf("switching to write-ahead logging: %w", err)
		}
	}
	for _, pragma := range pragmas {
		if err := exec(conn, pragma, nil); err != nil {
			return 0, fmt.Errorf("%s: %w", pragma, err)
		}
	}
	return queryInt(conn, selectRevision)
}

func migrate(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	// Asked again, now that a journal, if there was one, has been replayed.
	version, err := schemaOf(conn)
	if err != nil {
		return err
	}
	for ; version < schemaVersion; version++ {
		mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version+1)
		if err := sqlitex.ExecuteScript(conn, migrations[version]+mark, nil); err != nil {
			return fmt.Errorf("migrating to schema version %d: %w", version+1, err)
		}
	}
	if err := sqlitex.ExecuteScript(conn, adopt, nil); err != nil {
		return fmt.Errorf("adopting the rows of another program: %w", err)
	}
	return nil
}

// schemaOf returns the schema version of a database that we may open: one of
// ours, 0 for an empty one or the reference registry's. It only reads.
func schemaOf(conn *sqlite.Conn) (version int, err error) {
	read := func(query string) (value int64) {
		if err == nil {
			value, err = queryInt(conn, query)
		}
		return value
	}
	id, stored := read("PRAGMA application_id"), read("PRAGMA user_version")
	tables := read("SELECT count(*) FROM sqlite_schema")
	missing := slices.Clone(referenceColumns)
	if err == nil {
		names := func(stmt *sqlite.Stmt) error {
			column := stmt.ColumnText(0)
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == column })
			return nil
		}
		err = sqlitex.Execute(conn, "SELECT lower(name) FROM pragma_table_info('backends')", &sqlitex.ExecOptions{ResultFunc: names})
	}
	switch {
	case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultNotADB:
		return 0, fmt.Errorf("%w: file is not a SQLite database", ErrForeign)
	case err != nil:
		return 0, fmt.Errorf("reading: %w", err)
	case id != 0 && id != applicationID:
		return 0, fmt.Errorf("%w: its application_id %#x is another program's", ErrForeign, uint32(id))
	case id == 0 && tables == 0 && stored == 0:
		return 0, nil
	case len(missing) == len(referenceColumns):
		return 0, fmt.Errorf(`%w: it has no table "backends"`, ErrForeign)
	case len(missing) > 0:
		return 0, fmt.Errorf(`%w: its table "backends" has no column %q`, ErrForeign, missing[0])
	case stored > schemaVersion:
		return 0, fmt.Errorf("%w: schema version %d, known up to %d", ErrNewer, stored, schemaVersion)
	case id == 0 && stored != 0, id != 0 && stored < 1:
		return 0, fmt.Errorf("%w: no registry has schema version %d with application_id %#x", ErrForeign, stored, id)
	}
	return int(stored), nil
}
