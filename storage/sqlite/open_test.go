// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
)

func mustOpen(t *testing.T, path string, opts ...sqlite.Option) storage.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustPut(t *testing.T, s storage.Store, name string) storage.Backend {
	t.Helper()
	b := storage.Backend{ID: "id of " + name, Name: name, Host: "localhost", Port: 4444, Protocol: "ws", Source: storage.SourceManual}
	change, err := s.Apply(t.Context(), storage.Write{Backend: b})
	if err != nil {
		t.Fatal(err)
	}
	return *change.Entries[0].After
}

// another is a connection of another program.
func another(t *testing.T, path string, flags zombiezen.OpenFlags) *zombiezen.Conn {
	t.Helper()
	conn, err := zombiezen.OpenConn(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func execute(t *testing.T, conn *zombiezen.Conn, statements string) (value string) {
	t.Helper()
	read := func(stmt *zombiezen.Stmt) error {
		value = stmt.ColumnText(0)
		return nil
	}
	for statement := range strings.SplitSeq(statements, ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := sqlitex.ExecuteTransient(conn, statement, &sqlitex.ExecOptions{ResultFunc: read}); err != nil {
			t.Fatal(err)
		}
	}
	return value
}

// script runs SQL on a file, as another program would.
func script(t *testing.T, path, statements string) {
	t.Helper()
	conn := another(t, path, zombiezen.OpenReadWrite|zombiezen.OpenCreate)
	execute(t, conn, statements)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, path, statement string) string {
	t.Helper()
	conn := another(t, path, zombiezen.OpenReadOnly)
	defer conn.Close()
	return execute(t, conn, statement)
}

func TestLinkedSQLiteVersion(t *testing.T) {
	// 3.49.2, which the binding asks for, can corrupt a database in WAL mode.
	path := filepath.Join(t.TempDir(), "x.db")
	script(t, path, "CREATE TABLE x (y)")
	linked := query(t, path, "SELECT sqlite_version()")
	version := make([]int, 3)
	if _, err := fmt.Sscanf(linked, "%d.%d.%d", &version[0], &version[1], &version[2]); err != nil || slices.Compare(version, []int{3, 53, 4}) < 0 {
		t.Errorf("SQLite %s is older than 3.53.4, %v", linked, err)
	}
}

func TestOpenCreatesPrivateFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "registry ?#%41.db")
	s := mustOpen(t, path)
	mustPut(t, s, "x")
	for pragma, want := range map[string]string{"journal_mode": "wal", "user_version": "2", "application_id": "1886156914"} {
		if got := query(t, path, "PRAGMA "+pragma); got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	for name, want := range map[string]fs.FileMode{
		filepath.Join(dir, "a"):      0o700 | fs.ModeDir,
		filepath.Join(dir, "a", "b"): 0o700 | fs.ModeDir,
		path:                         0o600,
		path + "-wal":                0o600,
		path + "-shm":                0o600,
		path + ".lock":               0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
		} else if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after closing the log is still there: %v", err)
	}
	if _, err := mustOpen(t, path).Get(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}

func TestOpenTakesAnEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	mustPut(t, mustOpen(t, path), "x")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o640 {
		t.Errorf("the mode became %v", info.Mode())
	}
}

func TestOpenRefuses(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("running as root: whoever may not read or write is not asked here, see TestOpenWithoutPermission")
	}
	write := func(content string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	sql := func(statements string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { script(t, path, statements) }
	}
	reference := func(statements string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			copyReference(t, path)
			script(t, path, statements)
		}
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string)
		want error // nil where no sentinel is promised
		says string
	}{
		{"a text", write(strings.Repeat("not a database\n", 100)), sqlite.ErrForeign, "not a SQLite database"},
		{"a short text", write("x"), sqlite.ErrForeign, "not a SQLite database"},
		{"a header without a database", write("SQLite format 3\x00" + strings.Repeat("\xff", 200)), sqlite.ErrForeign, "not a SQLite database"},
		{"another program's tables", sql("CREATE TABLE notes (x)"), sqlite.ErrForeign, `no table "backends"`},
		{"another program's tables in WAL mode", sql("PRAGMA journal_mode = WAL; CREATE TABLE notes (x)"), sqlite.ErrForeign, `no table "backends"`},
		{"another table of that name", sql("CREATE TABLE backends (id, name)"), sqlite.ErrForeign, `no column "host"`},
		{"another application_id", reference("PRAGMA application_id = 0x12345678"), sqlite.ErrForeign, "0x12345678"},
		{"a newer version", reference("PRAGMA application_id = 0x706c7872; PRAGMA user_version = 3"), sqlite.ErrNewer, "schema version 3, known up to 2"},
		{"a newer version without application_id", reference("PRAGMA user_version = 99"), sqlite.ErrNewer, "schema version 99"},
		{"an unknown version", reference("PRAGMA user_version = 1"), sqlite.ErrForeign, "schema version 1"},
		{"an empty database with a version", sql("PRAGMA user_version = 1; PRAGMA application_id = 7"), sqlite.ErrForeign, "application_id 0x7"},
		{"tables that only the log holds", makeLogged, sqlite.ErrForeign, `no table "backends"`},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, nil, "is a directory"},
		{"a device", func(t *testing.T, path string) {
			if err := os.Symlink(os.DevNull, path); err != nil {
				t.Fatal(err)
			}
		}, nil, "is not a regular file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "some.db")
			test.make(t, path)
			before := snapshot(t, dir)
			s, err := sqlite.Open(t.Context(), path)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if text := err.Error(); !strings.Contains(text, path) || !strings.Contains(text, test.says) || strings.Contains(text, "\n") {
				t.Errorf("error %q, must be a line with the path and %q", text, test.says)
			}
			wantSnapshot(t, dir, before)
		})
	}
}

// makeLogged leaves a foreign database as its program leaves it when it dies:
// the tables are in the write-ahead log alone.
func makeLogged(t *testing.T, path string) {
	aside := filepath.Join(t.TempDir(), "aside.db")
	execute(t, another(t, aside, zombiezen.OpenReadWrite|zombiezen.OpenCreate|zombiezen.OpenWAL), "CREATE TABLE notes (x)")
	for _, suffix := range []string{"", "-wal"} {
		copyFile(t, path+suffix, aside+suffix)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// snapshot is what a directory holds: contents, modes and times by name.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		form := info.Mode().String() + info.ModTime().String()
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			form += string(content)
		}
		found[entry.Name()] = form
	}
	return found
}

func wantSnapshot(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := snapshot(t, dir)
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s has appeared", name)
		}
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestOpenWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read and write everything")
	}
	for _, test := range []struct {
		name      string
		file, dir fs.FileMode
		forget    string // what Close has left and this removes
	}{
		{"an unreadable file", 0o000, 0o700, ""},
		{"a file that is read only", 0o400, 0o700, ""},
		{"a directory that became read only", 0o600, 0o500, ""},
		{"a directory that is read only", 0o600, 0o500, ".lock"},
		{"a directory that may not be entered", 0o600, 0o000, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dir")
			path := filepath.Join(dir, "registry.db")
			mustOpen(t, path).Close()
			if test.forget != "" {
				if err := os.Remove(path + test.forget); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(os.Chmod(path, test.file), os.Chmod(dir, test.dir)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
			_, err := sqlite.Open(t.Context(), path)
			if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A file in place of a directory is refused to everybody, root too.
func TestOpenInAFileThatIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(file, "registry.db")
	if _, err := sqlite.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("error %v", err)
	}
	if _, err := sqlite.Open(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "path is empty") {
		t.Errorf("error %v", err)
	}
}

func TestOpenWithContextDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := sqlite.Open(ctx, filepath.Join(dir, "registry.db")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	wantSnapshot(t, dir, nil)
}

// Names that an earlier version, or another program, has stored in another form.
func TestOpenGivesNamesTheirOneForm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := mustOpen(t, path)
	for _, name := range []string{"cafe\u0301", "cafe\u0301s", "cafés", "u\u0308ber", "über"} {
		mustPut(t, s, name)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	script(t, path, "UPDATE backends SET updated_at = 9, host = 'newer' WHERE name IN ('cafés', 'u\u0308ber')")
	for opened := range 2 {
		var log bytes.Buffer
		s, err := sqlite.Open(t.Context(), path, sqlite.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		if err != nil {
			t.Fatal(err)
		}
		removed := strings.Count(log.String(), `host=localhost port=4444`)
		if opened == 0 && removed != 2 || opened > 0 && removed != 0 {
			t.Errorf("opening %d: the log has\n%s", opened+1, log.String())
		}
		all, _, err := s.List(t.Context())
		var got []string
		for _, b := range all {
			got = append(got, b.Name+" at "+b.Host)
		}
		want := []string{"café at localhost", "cafés at newer", "über at newer"}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
