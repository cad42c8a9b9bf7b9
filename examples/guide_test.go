// SPDX-License-Identifier: AGPL-3.0-only

package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestGuide follows docs/writing-an-activation.md: its files, in a module of
// their own, are built and pass their test; they are as few lines as it claims;
// and its hub stops gracefully.
func TestGuide(t *testing.T) {
	t.Parallel()
	guide := read(t, "../docs/writing-an-activation.md")
	folder := t.TempDir()
	lines := 0
	for _, part := range regexp.MustCompile("(?s)<!-- file: ([a-z_.]+) -->\n```go\n(.*?)```").FindAllStringSubmatch(guide, -1) {
		write(t, filepath.Join(folder, part[1]), strings.Replace(part[2], "127.0.0.1:4444", "127.0.0.1:0", 1)) // which may be taken
		if part[1] != "main.go" {
			lines += strings.Count(part[2], "\n")
		}
	}
	if lines == 0 || lines >= 60 {
		t.Errorf("the activation and its test have %d lines", lines)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// What go mod tidy writes, without a network.
	ours := read(t, "../go.mod")
	write(t, filepath.Join(folder, "go.mod"), strings.Replace(ours, "module github.com/plexus-go/plexus", "module example.com/parcels", 1)+
		"\nrequire github.com/plexus-go/plexus v0.0.0\nreplace github.com/plexus-go/plexus => "+root+"\n")
	write(t, filepath.Join(folder, "go.sum"), read(t, "../go.sum"))
	for _, step := range []struct {
		env  string
		args []string
	}{
		{"PLEXUS_UPDATE=1", []string{"test", "."}},
		{"PLEXUS_UPDATE=", []string{"test", "."}},
		{"PLEXUS_UPDATE=", []string{"build", "-o", filepath.Join(folder, "parcels"), "."}},
	} {
		cmd := exec.Command("go", step.args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -vet=off '-ldflags=-s -w'", "GOPROXY=off", "GOWORK=off", step.env)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(step.args, " "), err, out)
		}
	}
	runUntil(t, syscall.SIGTERM, filepath.Join(folder, "parcels"))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
