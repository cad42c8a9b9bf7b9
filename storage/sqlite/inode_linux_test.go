// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/storage/sqlite"
)

// elsewhere runs a shell command in a mount namespace of its own, in which $0 is this
// test binary, and returns what it says.
func elsewhere(t *testing.T, dir, command string) string {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespaces here: %v %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", command, os.Args[0])
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput() // its exit status says no more
	return string(out)
}

// One database is opened once, whatever path leads to it.
func TestBindMountIsTheSameDatabase(t *testing.T) {
	for _, test := range []struct {
		name   string
		mounts string
		path   string
	}{
		{"of the file", "touch b/registry.db; mount --bind a/registry.db b/registry.db", "b/registry.db"},
		{"of the file, under another name", "touch b/other.db; mount --bind a/registry.db b/other.db", "b/other.db"},
		{"of the folder", "mount --bind a b", "b/registry.db"},
		{"of a folder above", "mkdir b/c; mount --bind . b/c", "b/c/a/registry.db"},
		{"of the file, through a link", "touch b/registry.db; mount --bind a/registry.db b/registry.db; ln -s registry.db b/link.db", "b/link.db"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{"a", "b"} {
				if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, "a", "registry.db")
			s := mustOpen(t, path)
			mustPut(t, s, "before")
			open := helperEnv + "=" + test.path + ` timeout 5 "$0"` // it would write for ever
			if out := elsewhere(t, dir, test.mounts+" && "+open); !strings.Contains(out, sqlite.ErrInUse.Error()) {
				t.Errorf("the second says %.500s", out)
			}
			for _, companion := range []string{"-wal", "-shm", ".lock"} {
				if _, err := os.Stat(filepath.Join(dir, test.path+companion)); err == nil {
					t.Errorf("%s has appeared", test.path+companion)
				}
			}
			mustPut(t, s, "after")
			mustClose(t, s)
			if got := query(t, path, "PRAGMA integrity_check"); got != "ok" {
				t.Errorf("integrity_check: %s", got)
			}
		})
	}
}
