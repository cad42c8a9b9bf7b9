// SPDX-License-Identifier: AGPL-3.0-only

// Package sqlite keeps a registry's backends in one SQLite file:
//
//	store, err := sqlite.Open(ctx, "/var/lib/plexus/registry.db")
//	…
//	defer store.Close()
//
// It needs no cgo and no server, and is the [storage.Store] that is used by
// default. [Open] prepares the file: it locks it (guard.go), examines
// what is there before it changes a byte (file.go), and migrates the tables to the
// present schema (schema.go). A database of the reference registry is migrated in
// place, by columns with defaults, so that the other program can still read it.
// Any other file is refused and stays as it was.
//
// Three parts then work together:
//
//   - One goroutine writes (writer.go). It takes every Apply that is waiting,
//     commits them in one transaction, and answers when that is on the disk. One
//     synchronous write takes milliseconds, so a hundred callers share it.
//   - A few connections read (store.go, row.go). In WAL mode neither side waits
//     for the other.
//   - The last changes stay in memory (history.go), up to 32 MiB, and any number
//     of watches are served from there. After a restart there are none: a watch
//     goes on only where it had seen everything. Every opening is a history of its
//     own that knows its ancestors, so that of two copies of a database neither is
//     taken for the other; a digest of the rows tells what other programs wrote.
//
// A file that exists keeps its permissions; only the owner may use what Open
// creates. The database must be on a local disk, as WAL mode requires. It must have
// one name: symbolic links are followed, a file with hard links is refused.
//
// The files must stay where they are as long as the store is open: it checks that
// around each write, and fails with [ErrGone]. The file path.lock must stay, too:
// where the system has no lock for the database itself (it has one on Linux), a
// second registry could open it without that file.
package sqlite
