// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zombiezen "zombiezen.com/go/sqlite"

	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
)

// helperEnv makes the test binary a registry that writes to this database
// until it is killed.
const helperEnv = "PLEXUS_SQLITE_TEST_WRITE_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(helperEnv); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForever prints each name once it was answered.
func writeForever(path string) error {
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for worker := range 8 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d", worker, i)
				b := storage.Backend{ID: name, Name: name, Host: "localhost", Port: 1, Protocol: "ws", Source: storage.SourceAuto}
				change, err := s.Apply(context.Background(), storage.Write{Backend: b, IfUnchanged: true})
				if err != nil {
					failed <- err
					return
				}
				fmt.Println(name, change.Revision)
			}
		}()
	}
	return <-failed
}

func TestKilledProcessLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var answered []string
	for reader := bufio.NewReader(out); ; {
		line, err := reader.ReadString('\n')
		if err != nil {
			break // what is not a whole line was not answered
		}
		if answered = append(answered, line); len(answered) != 300 {
			continue
		}
		// While it lives nobody else gets in, and its lock dies with it.
		if _, err := sqlite.Open(ctx, path); !errors.Is(err, sqlite.ErrInUse) {
			t.Errorf("second process: error %v, want %v", err, sqlite.ErrInUse)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() // it was killed
	if len(answered) < 300 {
		t.Fatalf("only %d answers", len(answered))
	}

	s := mustOpen(t, path)
	highest := int64(0)
	for _, line := range answered {
		var name string
		var revision int64
		if _, err := fmt.Sscan(line, &name, &revision); err != nil {
			t.Fatal(err)
		}
		b, err := s.Get(t.Context(), name)
		if err != nil || b.Revision != revision {
			t.Fatalf("%s was answered with revision %d, but is %d, %v", name, revision, b.Revision, err)
		}
		highest = max(highest, revision)
	}
	if next := mustPut(t, s, "next").Revision; next <= highest {
		t.Errorf("revision %d was given out twice", next)
	}
	if got := query(t, path, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity_check: %s", got)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "registry.db"), filepath.Join(dir, "link.db")
	s := mustOpen(t, path)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		_, err := sqlite.Open(t.Context(), name)
		if !errors.Is(err, sqlite.ErrInUse) {
			t.Fatalf("%s: error %v, want %v", name, err, sqlite.ErrInUse)
		}
		if text := err.Error(); !strings.Contains(text, name) || !strings.Contains(text, "in use by another registry") {
			t.Errorf("error %q", text)
		}
	}
	mustPut(t, s, "x") // the first is not disturbed
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := mustOpen(t, link).Get(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}

// SQLite puts its files beside what a link leads to, also where that is not there yet.
func TestLinkToADatabaseThatIsNotThereYet(t *testing.T) {
	for name, to := range map[string]string{"beside it": "real.db", "a folder that is not there yet": "data/real.db", "a link": "second.db"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.Symlink(to, dir+"/link.db"), os.Symlink("data/real.db", dir+"/second.db")); err != nil {
				t.Fatal(err)
			}
			mustPut(t, mustOpen(t, dir+"/link.db"), "x")
			target, err := filepath.EvalSymlinks(dir + "/link.db")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sqlite.Open(t.Context(), target); !errors.Is(err, sqlite.ErrInUse) {
				t.Errorf("its target: error %v, want %v", err, sqlite.ErrInUse)
			}
		})
	}
}

func TestMemoryIsPrivate(t *testing.T) {
	t.Chdir(t.TempDir())
	a, b := mustOpen(t, ":memory:"), mustOpen(t, ":memory:")
	mustPut(t, a, "x")
	if _, err := b.Get(t.Context(), "x"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("another store answers %v", err)
	}
	wantSnapshot(t, ".", nil)
}

// Somebody looks into the database with another tool, and forgets about it.
func TestReaderOfAnotherProgramBlocksNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := mustOpen(t, path)
	mustPut(t, s, "before")
	reader := another(t, path, zombiezen.OpenReadWrite)
	execute(t, reader, "BEGIN; SELECT count(*) FROM backends")
	mustPut(t, s, "after")
	if _, err := s.Get(t.Context(), "after"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if _, err := mustOpen(t, path).Get(t.Context(), "after"); err != nil {
		t.Error(err)
	}
}
