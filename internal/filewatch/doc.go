// SPDX-License-Identifier: AGPL-3.0-only

// Package filewatch reads the files that an operator writes, and reports when
// they have changed:
//
//	tokens, err := filewatch.Load(parse, 1<<20, "tokens.toml")
//	…
//	go tokens.Follow(ctx, log, "the former tokens stay in use", changed)
//	tokens.Get()
//
// [Read] reads one regular file up to a size; it never blocks on a pipe or a
// device. A [Watcher] watches one file, or several that belong together, such as
// a certificate and its key; [Loaded] is what was made of them. Whether something
// has changed is decided by a hash of the content. The watcher looks at every event
// that fsnotify reports in the directories of the files (events.go), and four times
// a second. Events only make it faster: a symbolic link that is replaced behind
// other links, a network file system, and a file that is bind-mounted alone and
// replaced by rename have none.
//
// A save takes time, and a reader in the middle of it finds half a file. So a
// change is debounced: it is reported when the files have been left alone for
// 400 ms. A file that had content, and is missing or has none but comments, is an
// error, since a save may leave it so for longer than that.
package filewatch
