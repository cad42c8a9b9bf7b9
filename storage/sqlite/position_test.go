// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/plexus-go/plexus/storage"
)

func position(t *testing.T, s storage.Store) storage.Position {
	t.Helper()
	_, at, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// resumes reports whether a watch goes on after a position: with what is written
// next, and nothing before.
func resumes(t *testing.T, s storage.Store, after storage.Position) bool {
	t.Helper()
	next := position(t, s).Revision + 1
	mustPut(t, s, "next")
	for change, err := range s.Watch(t.Context(), after) {
		if errors.Is(err, storage.ErrCompacted) {
			return false
		}
		if err != nil || change.Revision != next {
			t.Errorf("after %v: watched revision %d, want %d; %v", after, change.Revision, next, err)
		}
		break
	}
	return true
}

func mustClose(t *testing.T, s storage.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// copyDatabase copies a database as a backup does, with its log where it has one.
func copyDatabase(t *testing.T, to, from string) {
	t.Helper()
	script(t, from, "VACUUM INTO '"+to+"'")
}

func TestPositionsOverRestarts(t *testing.T) {
	reopen := func(t *testing.T, s storage.Store, path string) storage.Store {
		mustClose(t, s)
		return mustOpen(t, path)
	}
	const update = "UPDATE backends SET host = 'elsewhere' WHERE name = 'a'"
	for _, test := range []struct {
		name string
		// between happens after the position was read.
		between func(t *testing.T, s storage.Store, path string) storage.Store
		want    bool
	}{
		{"a restart", reopen, true},
		{"many restarts", func(t *testing.T, s storage.Store, path string) storage.Store {
			for range 5 {
				s = reopen(t, s, path)
			}
			return s
		}, true},
		{"a restart after something was seen", func(t *testing.T, s storage.Store, path string) storage.Store {
			if err := s.Seen(t.Context(), map[string]int64{"a": 1 << 31}); err != nil {
				t.Fatal(err)
			}
			return reopen(t, s, path)
		}, true},
		{"a restart after a write that failed", func(t *testing.T, s storage.Store, path string) storage.Store {
			if _, err := s.Apply(t.Context(), storage.Write{Backend: storage.Backend{Name: "nobody"}, Delete: true}); err == nil {
				t.Error("deleted")
			}
			return reopen(t, s, path)
		}, true},
		{"a restart after a change", func(t *testing.T, s storage.Store, path string) storage.Store {
			mustPut(t, s, "b")
			return reopen(t, s, path)
		}, false},
		{"a change between two restarts", func(t *testing.T, s storage.Store, path string) storage.Store {
			s = reopen(t, s, path)
			mustPut(t, s, "b")
			return reopen(t, s, path)
		}, false},
		{"another program updates", func(t *testing.T, s storage.Store, path string) storage.Store {
			mustClose(t, s)
			script(t, path, update)
			return mustOpen(t, path)
		}, false},
		{"another program updates before a restart with nothing changed", func(t *testing.T, s storage.Store, path string) storage.Store {
			mustClose(t, s)
			script(t, path, update)
			return reopen(t, mustOpen(t, path), path)
		}, false},
		{"another program updates while it runs", func(t *testing.T, s storage.Store, path string) storage.Store {
			script(t, path, update)
			return reopen(t, s, path)
		}, false},
		{"another program deletes", func(t *testing.T, s storage.Store, path string) storage.Store {
			mustClose(t, s)
			script(t, path, "DELETE FROM backends WHERE name = 'a'")
			return mustOpen(t, path)
		}, false},
		{"another program adds", func(t *testing.T, s storage.Store, path string) storage.Store {
			mustClose(t, s)
			script(t, path, `INSERT INTO backends (id, name, host, port, protocol, source, registered_at, created_at, updated_at)
				VALUES ('i', 'theirs', 'h', 1, 'ws', 'manual', 1, 2, 3)`)
			return mustOpen(t, path)
		}, false},
		{"another program has seen it", func(t *testing.T, s storage.Store, path string) storage.Store {
			mustClose(t, s)
			script(t, path, "UPDATE backends SET last_seen = 7")
			return mustOpen(t, path)
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "registry.db")
			s := mustOpen(t, path)
			mustPut(t, s, "a")
			at := position(t, s)
			s = test.between(t, s, path)
			if got := resumes(t, s, at); got != test.want {
				t.Errorf("resumes: %v, want %v", got, test.want)
			}
		})
	}
}

// Two copies of a database are two histories, though their revisions are the same.
func TestPositionsOfARestoredCopy(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "registry.db"), filepath.Join(dir, "backup.db")
	s := mustOpen(t, path)
	mustPut(t, s, "a")
	copied := position(t, s)
	copyDatabase(t, backup, path)
	for _, name := range []string{"b", "c", "d"} {
		mustPut(t, s, name)
	}
	lost := position(t, s)
	mustClose(t, s)

	restored := mustOpen(t, backup)
	for _, name := range []string{"e", "f", "g", "h"} {
		mustPut(t, restored, name)
	}
	for _, test := range []struct {
		name string
		at   storage.Position
		want error
	}{
		{"a revision that both have had", lost, storage.ErrCompacted},
		{"the last one of the former history, with another one's number", storage.Position{History: copied.History, Revision: copied.Revision + 1}, storage.ErrCompacted},
		{"the one of the copy", copied, nil},
	} {
		for _, err := range restored.Watch(t.Context(), test.at) {
			if !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", test.name, err, test.want)
			}
			break
		}
	}
	// Both go on from the same backup, to different ends.
	mustClose(t, restored)
	if other := position(t, mustOpen(t, path)); other.History == position(t, mustOpen(t, backup)).History {
		t.Errorf("both have the history %q", other.History)
	}
}

// A process that is killed leaves no less.
func TestPositionsOverAKill(t *testing.T) {
	dir := t.TempDir()
	path, killed := filepath.Join(dir, "registry.db"), filepath.Join(dir, "killed.db")
	s := mustOpen(t, path)
	mustPut(t, s, "a")
	at := position(t, s)
	for _, suffix := range []string{"", "-wal"} { // as a kill leaves them
		copyFile(t, killed+suffix, path+suffix)
	}
	if !resumes(t, mustOpen(t, killed), at) {
		t.Error("it does not resume")
	}
}

func TestFailedCommitIsNoChangeOfRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := mustOpen(t, path)
	mustPut(t, s, "a")
	if err := sqlitex.ExecuteScript(another(t, path, zombiezen.OpenReadWrite), `CREATE TRIGGER poison AFTER INSERT ON backends
		WHEN NEW.name = 'poison' BEGIN SELECT RAISE(ROLLBACK, 'no'); END;`, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(context.Background(), storage.Write{Backend: storage.Backend{Name: "poison", ID: "p"}}); err == nil {
		t.Fatal("applied")
	}
	mustPut(t, s, "b")
	at := position(t, s)
	mustClose(t, s)
	if !resumes(t, mustOpen(t, path), at) {
		t.Error("it does not resume")
	}
}
