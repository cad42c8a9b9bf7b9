// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	zombiezen "zombiezen.com/go/sqlite"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
)

func mustRename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func mustWriteFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Nothing is acknowledged that the next start would not find.
func TestDatabaseIsRemovedOrReplacedWhileItIsOpen(t *testing.T) {
	var all sync.WaitGroup
	remove := func(suffix string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "data", "registry.db"+suffix)); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(suffix string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			mustWriteFile(t, filepath.Join(dir, "new"), "another")
			mustRename(t, filepath.Join(dir, "new"), filepath.Join(dir, "data", "registry.db"+suffix))
		}
	}
	for _, test := range []struct {
		name string
		path string // that is opened
		lose func(t *testing.T, dir string)
		undo func(t *testing.T, dir string) // nil where nothing can
	}{
		{"the database is removed", "data/registry.db", remove(""), nil},
		{"the database is replaced", "data/registry.db", replace(""), nil},
		{"the database is renamed", "data/registry.db",
			func(t *testing.T, dir string) { mustRename(t, dir+"/data/registry.db", dir+"/data/old.db") },
			func(t *testing.T, dir string) { mustRename(t, dir+"/data/old.db", dir+"/data/registry.db") }},
		{"the database is emptied", "data/registry.db", func(t *testing.T, dir string) { mustWriteFile(t, dir+"/data/registry.db", "") }, nil},
		{"the log is removed", "data/registry.db", remove("-wal"), nil},
		{"the log is emptied", "data/registry.db", func(t *testing.T, dir string) { mustWriteFile(t, dir+"/data/registry.db-wal", "") }, nil},
		{"the log is replaced", "data/registry.db", replace("-wal"), nil},
		{"the index of the log is removed", "data/registry.db", remove("-shm"), nil},
		{"the folder is renamed", "data/registry.db",
			func(t *testing.T, dir string) { mustRename(t, dir+"/data", dir+"/old") },
			func(t *testing.T, dir string) { mustRename(t, dir+"/old", dir+"/data") }},
		{"the folder becomes a file", "data/registry.db",
			func(t *testing.T, dir string) {
				mustRename(t, dir+"/data", dir+"/old")
				mustWriteFile(t, dir+"/data", "")
			}, nil},
		{"the link is removed", "link.db",
			func(t *testing.T, dir string) { mustRename(t, dir+"/link.db", dir+"/old.db") },
			func(t *testing.T, dir string) { mustRename(t, dir+"/old.db", dir+"/link.db") }},
		{"the link leads elsewhere", "link.db", func(t *testing.T, dir string) {
			mustWriteFile(t, dir+"/elsewhere.db", "")
			if err := errors.Join(os.Remove(dir+"/link.db"), os.Symlink(dir+"/elsewhere.db", dir+"/link.db")); err != nil {
				t.Fatal(err)
			}
		}, nil},
		{"a folder that is a link leads elsewhere", "current/registry.db", func(t *testing.T, dir string) {
			if err := errors.Join(os.Mkdir(dir+"/next", 0o700), os.Remove(dir+"/current"), os.Symlink(dir+"/next", dir+"/current")); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		run := func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.Mkdir(dir+"/data", 0o700), os.Symlink(dir+"/data", dir+"/current")); err != nil {
				t.Fatal(err)
			}
			mustWriteFile(t, dir+"/data/registry.db", "")
			if err := os.Symlink(dir+"/data/registry.db", dir+"/link.db"); err != nil {
				t.Fatal(err)
			}
			var log testkit.Log
			s := mustOpen(t, filepath.Join(dir, test.path), sqlite.WithLogger(log.Logger()))
			mustPut(t, s, "before")
			warned := s.(interface{ Warnings() []string })
			if w := warned.Warnings(); w != nil {
				t.Errorf("warns of %q", w)
			}

			test.lose(t, dir)
			testkit.Eventually(t, "it is logged", func() bool { return log.Count("the database is gone") > 0 }) // also while nobody writes
			for range 2 {
				_, err := s.Apply(t.Context(), storage.Write{Backend: storage.Backend{Name: "nowhere", ID: "n"}})
				if !errors.Is(err, sqlite.ErrGone) {
					t.Fatalf("apply: error %v, want %v", err, sqlite.ErrGone)
				}
			}
			if err := s.Seen(t.Context(), map[string]int64{"before": 1 << 31}); !errors.Is(err, sqlite.ErrGone) {
				t.Errorf("seen: error %v, want %v", err, sqlite.ErrGone)
			}
			if w := warned.Warnings(); len(w) != 1 || !strings.Contains(w[0], sqlite.ErrGone.Error()) {
				t.Errorf("warns of %q", w)
			}
			if n := log.Count("the database is gone"); n != 1 {
				t.Errorf("it is logged %d times:\n%s", n, &log)
			}
			if test.undo == nil {
				return
			}
			test.undo(t, dir)
			mustPut(t, s, "after")
			if w := warned.Warnings(); w != nil || log.Count("the database is back") != 1 {
				t.Errorf("warns of %q, and the log is %s", w, &log)
			}
			mustClose(t, s)
			if _, err := mustOpen(t, filepath.Join(dir, test.path)).Get(t.Context(), "after"); err != nil {
				t.Error(err)
			}
		}
		// Each waits a second: all at once, however few processors there are.
		all.Go(func() { t.Run(test.name, run) })
	}
	all.Wait()
}

// Where another registry has begun on another database of that name, closing the
// former one does not take its log away.
func TestClosingADatabaseThatWasReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data", "registry.db")
	former := mustOpen(t, path)
	mustPut(t, former, "former")
	mustRename(t, dir+"/data", dir+"/old")
	s := mustOpen(t, path)
	mustPut(t, s, "a")
	mustClose(t, former)
	mustPut(t, s, "b")
	for _, suffix := range []string{"", "-wal"} { // as a kill leaves them
		copyFile(t, dir+"/killed.db"+suffix, path+suffix)
	}
	for path, names := range map[string][]string{dir + "/killed.db": {"a", "b"}, dir + "/old/registry.db": {"former"}} {
		s := mustOpen(t, path)
		for _, name := range names {
			if _, err := s.Get(t.Context(), name); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// What was acknowledged before the log was removed is stored by closing.
func TestClosingStoresALogThatWasRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := mustOpen(t, path)
	mustPut(t, s, "a")
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	if _, err := mustOpen(t, path).Get(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + ".lock"); errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Another program may empty the log as SQLite does.
func TestLogThatAnotherProgramHasMovedIntoTheDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := mustOpen(t, path)
	mustPut(t, s, "before")
	execute(t, another(t, path, zombiezen.OpenReadWrite), "PRAGMA wal_checkpoint(TRUNCATE)")
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
		t.Fatalf("the log has %v, %v", info, err)
	}
	mustPut(t, s, "after")
	if w := s.(interface{ Warnings() []string }).Warnings(); w != nil {
		t.Errorf("warns of %q", w)
	}
}
