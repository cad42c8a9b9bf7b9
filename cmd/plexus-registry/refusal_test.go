// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestAFailureToStartIsOneLineAndChangesNothing meets each kind of what keeps the
// registry from starting. (The packages config and sqlite test all that can be
// wrong with the files.)
func TestAFailureToStartIsOneLineAndChangesNothing(t *testing.T) {
	const good = "[[backend]]\nname = \"prod\"\nhost = \"h\"\nport = 1\n"
	port := fmt.Sprint(portOf(testkit.Listen(t)))
	// The files are in DIR/plexus, the default.
	tests := []struct {
		name  string
		setUp func(t *testing.T, dir string)
		args  []string
		says  []string // DIR stands for the directory
	}{{
		// Perhaps by the registry that uses this very database.
		name:  "port in use",
		setUp: reference,
		args:  []string{"--port", port},
		says:  []string{"can't listen", "127.0.0.1:" + port, "address already in use"},
	}, {
		name: "address of another machine",
		args: []string{"--host", "192.0.2.1"},
		says: []string{"can't listen", "192.0.2.1:0"},
	}, {
		name: "other machines",
		args: []string{"--host=0.0.0.0"},
		says: []string{"no TLS and no authentication", "--insecure"},
	}, {
		name: "other machines, through a proxy",
		args: []string{"--trusted-proxy=127.0.0.1", "--allowed-host=registry.example"},
		says: []string{"through a proxy", "--insecure"},
	}, {
		name: "malformed file",
		setUp: func(t *testing.T, dir string) {
			reference(t, dir)
			file("backends.toml", good+"\n[[backend]]\nname = dev\n")(t, dir)
		},
		says: []string{"DIR/plexus/backends.toml:7: ", `"dev"`},
	}, {
		name:  "bad value",
		setUp: file("backends.toml", good+"\n[[backend]]\nname = \"big\"\nhost = \"h\"\nport = 70000\n"),
		says:  []string{"DIR/plexus/backends.toml:9: ", `backend "big"`, "port 70000 is not 1–65535"},
	}, {
		name:  "file without permission",
		setUp: forbidden("backends.toml", good),
		says:  []string{"DIR/plexus/backends.toml: ", "cannot be read", "permission denied"},
	}, {
		name:  "file given by flag",
		setUp: file("other.toml", "x"),
		args:  []string{"--config", "DIR/plexus/other.toml"},
		says:  []string{"DIR/plexus/other.toml:1: "},
	}, {
		name:  "database that is a text",
		setUp: file("registry.db", strings.Repeat("not a database\n", 100)),
		says:  []string{`"DIR/plexus/registry.db"`, "not a registry database"},
	}, {
		name:  "database without permission",
		setUp: forbidden("registry.db", ""),
		says:  []string{`"DIR/plexus/registry.db"`, "permission denied"},
	}, {
		name:  "no place for the database",
		setUp: file("registry", ""),
		args:  []string{"--db-path", "DIR/plexus/registry/registry.db"},
		says:  []string{`"DIR/plexus/registry/registry.db"`, "not a directory"},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if test.setUp != nil {
				test.setUp(t, dir)
			}
			before := snapshot(t, dir)
			args := make([]string, len(test.args))
			for i, arg := range test.args {
				args[i] = strings.ReplaceAll(arg, "DIR", dir)
			}
			got := finish(t, command(dir, args...))
			wantLine(t, got, 1, strings.Split(strings.ReplaceAll(strings.Join(test.says, "\x00"), "DIR", dir), "\x00")...)
			if after := snapshot(t, dir); !reflect.DeepEqual(before, after) {
				t.Errorf("before: %v\nafter:  %v", before, after)
			}
		})
	}
}

// TestADatabaseIsUsedByOneRegistryOnly starts a second one on it.
func TestADatabaseIsUsedByOneRegistryOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	wantLine(t, finish(t, command(dir)), 1, filepath.Join(dir, "plexus", "registry.db"), "in use by another registry")
	connect(t, p.url).register(t, object{"name": "still", "host": "h", "port": 1})
	p.stop(t)
	if list(t, start(t, command(dir)).url)["still"] == nil {
		t.Error("the running registry has lost an entry")
	}
}

// TestMisuseIsOneLineAndChangesNothing gives some settings that are rejected. (The
// package settings tests them all.)
func TestMisuseIsOneLineAndChangesNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  string
		args []string
		says []string
	}{
		{"unknown flag", "", []string{"--prot", "1"}, []string{"--prot"}},
		{"argument", "", []string{"serve"}, []string{"serve"}},
		{"port in a flag", "", []string{"--port", "http"}, []string{"--port", ": http (must be 0–65535)"}},
		{"port in the environment", "REGISTRY_PORT=-1", nil, []string{"REGISTRY_PORT", ": -1 (must be 0–65535)"}},
		{"long hub namespace", "", []string{"--hub-namespace", strings.Repeat("n", 65)}, []string{"--hub-namespace", "up to 64"}},
		{"line break", "", []string{"--port", "1\n2"}, []string{"--port", `"1\n2"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := command(dir, test.args...)
			cmd.Env = append(cmd.Env, test.env)
			wantLine(t, finish(t, cmd), 2, test.says...)
			if files := snapshot(t, dir); len(files) > 0 {
				t.Errorf("it made files: %v", files)
			}
		})
	}
}

// TestHelpAndVersionNeedNoRegistry leaves no files.
func TestHelpAndVersionNeedNoRegistry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		flag string
		says []string
	}{
		{"--help", []string{"--port", "REGISTRY_PORT", "4445", "--host", "REGISTRY_HOST", "127.0.0.1", "--db-path", "REGISTRY_DB_PATH",
			"--config", "REGISTRY_CONFIG", "--log-level", "RUST_LOG", "--hub-namespace", "registry-hub", "--version"}},
		{"-h", []string{"Usage:\n  plexus-registry"}},
		{"--version", []string{"plexus-registry "}},
	}
	for _, test := range tests {
		t.Run(test.flag, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := command(dir, test.flag)
			cmd.Env = append(cmd.Env, "REGISTRY_PORT=nonsense") // no matter
			got := finish(t, cmd)
			if got.status != 0 || got.stderr != "" {
				t.Errorf("exit status %d, and on standard error %q", got.status, got.stderr)
			}
			for _, part := range test.says {
				if !strings.Contains(got.stdout, part) {
					t.Errorf("%q is not in %q", part, got.stdout)
				}
			}
			if files := snapshot(t, dir); len(files) > 0 {
				t.Errorf("it made files: %v", files)
			}
		})
	}
}

// wantLine checks that a process has failed with one line that contains all of
// says.
func wantLine(t *testing.T, got outcome, status int, says ...string) {
	t.Helper()
	if got.status != status {
		t.Errorf("exit status %d, want %d", got.status, status)
	}
	if got.stdout != "" {
		t.Errorf("on standard output: %q", got.stdout)
	}
	line, more, ended := strings.Cut(got.stderr, "\n")
	if !ended || more != "" || !strings.HasPrefix(line, "plexus-registry: ") {
		t.Errorf("not one line of the program: %q", got.stderr)
	}
	for _, part := range says {
		if !strings.Contains(line, part) {
			t.Errorf("%q does not say %q", line, part)
		}
	}
}

// referenceDatabase was written by the reference registry.
const referenceDatabase = "../../storage/sqlite/testdata/reference-registry.db"

// reference puts the referenceDatabase into DIR/plexus.
func reference(t *testing.T, dir string) {
	t.Helper()
	writeFile(t, filepath.Join(dir, "plexus", "registry.db"), readText(t, referenceDatabase))
}

// file and forbidden put something into DIR/plexus.
func file(name, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, "plexus", name), text) }
}

func forbidden(name, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if os.Geteuid() == 0 {
			t.Skip("nothing is forbidden to root")
		}
		path := filepath.Join(dir, "plexus", name)
		writeFile(t, path, text)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot returns all about the files under dir, by path: kind, permissions,
// content and time of the last change.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		about := info.Mode().String()
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil && !os.IsPermission(err) {
				return err
			}
			about += fmt.Sprintf(" %v %x", info.ModTime(), text)
		}
		files[path] = about
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
