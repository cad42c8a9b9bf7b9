// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"strconv"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/plexus-go/plexus/storage"
)

// The statements name the columns in the order of bind and scan. Connections
// keep each prepared under its text.
const (
	columns = `name, id, host, port, protocol, description, namespace, version, metadata, source, is_active,
	registered_at, last_seen, created_at, updated_at, runtime, lease_id, lease_seconds, revision, inactive_reason,
	adopted, answers_as`

	selectByName = `SELECT ` + columns + ` FROM backends WHERE name = ?`
	selectByAll  = `SELECT ` + columns + ` FROM backends ORDER BY name`

	parameters = `?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22`

	// A row is updated in place, not replaced: columns of other programs stay.
	upsert = `INSERT INTO backends (` + columns + `) VALUES (` + parameters + `)
ON CONFLICT (name) DO UPDATE SET (` + columns + `) = (` + parameters + `)`

	deleteByName = `DELETE FROM backends WHERE name = ?`

	updateSeen = `UPDATE backends SET last_seen = ?2 WHERE name = ?1 AND coalesce(last_seen, 0) < ?2`

	selectMeta = `SELECT history, revision, digest, ancestors, origin FROM registry_meta`
	updateMeta = `UPDATE registry_meta SET (history, revision, digest, ancestors, origin) = (?, ?, ?, ?, ?)`
)

// meta is the row of registry_meta.
type meta struct {
	storage.Position
	digest uint64 // the sum of the digests of all rows
	// The histories that have ended where the present one began, at origin.
	ancestors string
	origin    int64
}

func readMeta(conn *sqlite.Conn) (m meta, err error) {
	return m, sqlitex.Execute(conn, selectMeta, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		m.History, m.Revision = stmt.ColumnText(0), stmt.ColumnInt64(1)
		m.digest, m.ancestors, m.origin = uint64(stmt.ColumnInt64(2)), stmt.ColumnText(3), stmt.ColumnInt64(4)
		return nil
	}})
}

func writeMeta(conn *sqlite.Conn, m meta) error {
	return exec(conn, updateMeta, func(stmt *sqlite.Stmt) {
		stmt.BindText(1, m.History)
		stmt.BindInt64(2, m.Revision)
		stmt.BindInt64(3, int64(m.digest))
		stmt.BindText(4, m.ancestors)
		stmt.BindInt64(5, m.origin)
	})
}

// digest is a number made of all that a row holds, but when it was last seen; 0 for
// none. It shows that another program has written, and is no protection.
func digest(b *storage.Backend) uint64 {
	if b == nil {
		return 0
	}
	row := make([]byte, 0, 1024)
	for _, text := range []*string{&b.Name, &b.ID, &b.Host, &b.Protocol, b.Description, b.Namespace, b.Version,
		(*string)(&b.Source), &b.LeaseID, &b.AnswersAs} {
		if text != nil {
			row = append(row, *text...)
		}
		row = append(row, '/', byte(len(row)))
	}
	for _, number := range []int64{int64(b.Port), b.RegisteredAt, b.CreatedAt, b.UpdatedAt, b.LeaseSeconds, b.Revision, int64(b.Inactive)} {
		row = binary.AppendVarint(row, number)
	}
	for _, is := range []bool{b.Runtime, b.Adopted, b.Description != nil, b.Namespace != nil, b.Version != nil, b.Metadata != nil} {
		row = strconv.AppendBool(row, is)
	}
	sum := uint64(0xcbf29ce484222325) // FNV-1a
	for _, part := range [][]byte{row, b.Metadata} {
		for _, c := range part {
			sum = (sum ^ uint64(c)) * 0x100000001b3
		}
	}
	return sum
}

// exec runs a statement whose rows do not matter, with what bind binds; nil for
// nothing.
func exec(conn *sqlite.Conn, query string, bind func(*sqlite.Stmt)) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	if bind != nil {
		bind(stmt)
	}
	_, err = stmt.Step()
	return cmp.Or(err, stmt.Reset())
}

// queryInt returns the first column of the only row.
func queryInt(conn *sqlite.Conn, query string) (int64, error) {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return 0, err
	}
	return sqlitex.ResultInt64(stmt)
}

// selectOne reads the backend called name; nil if there is none.
func selectOne(conn *sqlite.Conn, name string) (b *storage.Backend, err error) {
	stmt, err := conn.Prepare(selectByName)
	if err != nil {
		return nil, err
	}
	stmt.BindText(1, name)
	found, err := stmt.Step()
	if found {
		b = new(storage.Backend)
		scan(stmt, b)
	}
	return b, cmp.Or(err, stmt.Reset())
}

// selectAll reads every backend, ordered by name.
func selectAll(ctx context.Context, conn *sqlite.Conn) (backends []storage.Backend, err error) {
	err = sqlitex.Execute(conn, selectByAll, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		backends = append(backends, storage.Backend{})
		scan(stmt, &backends[len(backends)-1])
		return ctx.Err()
	}})
	return backends, err
}

// bind binds the parameters of upsert.
func bind(stmt *sqlite.Stmt, b *storage.Backend) {
	stmt.BindText(1, b.Name)
	// The column must be unique, but may be null any number of times.
	if b.ID == "" {
		stmt.BindNull(2)
	} else {
		stmt.BindText(2, b.ID)
	}
	stmt.BindText(3, b.Host)
	stmt.BindInt64(4, int64(b.Port))
	stmt.BindText(5, b.Protocol)
	bindOptional(stmt, 6, b.Description)
	bindOptional(stmt, 7, b.Namespace)
	bindOptional(stmt, 8, b.Version)
	if b.Metadata == nil {
		stmt.BindNull(9)
	} else {
		stmt.BindText(9, string(b.Metadata))
	}
	stmt.BindText(10, string(b.Source))
	stmt.BindBool(11, b.Active())
	stmt.BindInt64(12, b.RegisteredAt)
	// The reference registry knows "never" as null.
	if b.LastSeen == 0 {
		stmt.BindNull(13)
	} else {
		stmt.BindInt64(13, b.LastSeen)
	}
	stmt.BindInt64(14, b.CreatedAt)
	stmt.BindInt64(15, b.UpdatedAt)
	stmt.BindBool(16, b.Runtime)
	stmt.BindText(17, b.LeaseID)
	stmt.BindInt64(18, b.LeaseSeconds)
	stmt.BindInt64(19, b.Revision)
	stmt.BindText(20, b.Inactive.String())
	stmt.BindBool(21, b.Adopted)
	stmt.BindText(22, b.AnswersAs)
}

func bindOptional(stmt *sqlite.Stmt, param int, text *string) {
	if text == nil {
		stmt.BindNull(param)
	} else {
		stmt.BindText(param, *text)
	}
}

// scan reads a row of columns.
func scan(stmt *sqlite.Stmt, b *storage.Backend) {
	*b = storage.Backend{
		Name:         stmt.ColumnText(0),
		ID:           stmt.ColumnText(1),
		Host:         stmt.ColumnText(2),
		Port:         int(stmt.ColumnInt64(3)),
		Protocol:     stmt.ColumnText(4),
		Description:  scanOptional(stmt, 5),
		Namespace:    scanOptional(stmt, 6),
		Version:      scanOptional(stmt, 7),
		Source:       storage.Source(stmt.ColumnText(9)),
		RegisteredAt: stmt.ColumnInt64(11),
		LastSeen:     stmt.ColumnInt64(12),
		CreatedAt:    stmt.ColumnInt64(13),
		UpdatedAt:    stmt.ColumnInt64(14),
		Runtime:      stmt.ColumnInt64(15) != 0,
		LeaseID:      stmt.ColumnText(16),
		LeaseSeconds: stmt.ColumnInt64(17),
		Revision:     stmt.ColumnInt64(18),
		Adopted:      stmt.ColumnInt64(20) != 0,
		AnswersAs:    stmt.ColumnText(21),
	}
	// Other programs know no reasons, and change is_active alone.
	if stmt.ColumnInt64(10) == 0 {
		b.Inactive = cmp.Or(storage.ParseReasons(stmt.ColumnText(19)), storage.ReasonUnknown)
	}
	if !stmt.ColumnIsNull(8) {
		b.Metadata = json.RawMessage(stmt.ColumnText(8))
	}
}

func scanOptional(stmt *sqlite.Stmt, column int) *string {
	if stmt.ColumnIsNull(column) {
		return nil
	}
	return new(stmt.ColumnText(column))
}

// clone copies a backend and all that it refers to.
func clone(b storage.Backend) storage.Backend {
	for _, text := range []**string{&b.Description, &b.Namespace, &b.Version} {
		if *text != nil {
			*text = new(**text)
		}
	}
	if b.Metadata != nil {
		b.Metadata = append(json.RawMessage{}, b.Metadata...) // not nil, also where it is empty
	}
	return b
}
