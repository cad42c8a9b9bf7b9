// SPDX-License-Identifier: AGPL-3.0-only

// Package sqlite keeps a registry's backends in one SQLite file. It needs no
// cgo and no server, and is the [storage.Store] that is used by default.
//
// [Open] prepares the file: it takes the lock beside it (file.go), looks at
// what is there before a byte is changed, and brings the tables to the present
// form (schema.go). Databases of the reference registry are taken over in
// place; what is added are columns with defaults, so that the other program
// can still read the file. Anything else is refused and left as it was.
//
// Three parts then work together:
//
//   - One goroutine writes (writer.go). It takes every Apply that is waiting,
//     commits them in one transaction and answers when that is on the disk.
//     One synchronous write costs milliseconds, so a hundred callers share it.
//   - A few connections read (store.go). In WAL mode neither side waits for
//     the other.
//   - The last changes stay in memory (history.go), up to 32 MiB, from where any
//     number of watchers are served. After a restart the history is empty, and watchers
//     of older revisions are told to list again.
//
// A file that exists keeps its permissions; what Open creates is its owner's
// alone. The database must lie on a local disk, as SQLite asks for WAL. It must
// have one name: symbolic links are followed, a file with hard links is refused.
//
// The file path.lock must stay as long as a registry runs. Without it a second
// one would be let in: SQLite keeps the pages whole then, but neither registry
// knows of what the other writes, and both give out the same revisions.
package sqlite
