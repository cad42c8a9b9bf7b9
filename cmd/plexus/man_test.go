// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra/doc"
)

// TestManPages writes a manual page for each command, into the directory
// MANDIR if that is set, which is what make man does.
func TestManPages(t *testing.T) {
	dir := cmp.Or(os.Getenv("MANDIR"), t.TempDir())
	root := testCommand().root()
	if err := doc.GenManTree(root, &doc.GenManHeader{Title: "PLEXUS", Section: "1", Source: "Plexus"}, dir); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range append(root.Commands(), root) {
		if cmd.Name() == "help" {
			continue // it has none
		}
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if err != nil || !strings.Contains(string(page), cmd.Short) {
			t.Errorf("%s: %v, %s", cmd.CommandPath(), err, page)
		}
	}
}
