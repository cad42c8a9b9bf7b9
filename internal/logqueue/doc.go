// SPDX-License-Identifier: AGPL-3.0-only

// Package logqueue lets a program log, and write to standard output, without ever
// waiting for whoever reads that:
//
//	q := logqueue.New(os.Stderr, 1<<20, told)
//	defer q.Close(time.Second)
//	log := slog.New(slog.NewJSONHandler(q, nil))
//
// A pipe that nobody reads, a terminal that was stopped with Ctrl-S, or a disk that
// stalls holds up a write for ever, and with it everybody who logs, since a
// handler of slog holds a lock while it writes. A [Queue] takes lines up to a
// number of bytes; one goroutine writes them. Lines for which there is no room, or
// that can't be written, are dropped and counted, and it is told once lines can be
// written again.
package logqueue
