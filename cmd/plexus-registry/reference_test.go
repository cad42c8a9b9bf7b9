// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestOddEntriesOfTheReferenceRegistryAreLogged starts on its database. (The tests
// of the registry compare what is served.)
func TestOddEntriesOfTheReferenceRegistryAreLogged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reference(t, dir)
	p := start(t, command(dir))
	if entries := list(t, p.url); len(entries) != 8 {
		t.Errorf("there is %v", entries)
	}
	p.stop(t)
	odd := map[any]any{}
	for _, record := range p.log(t) {
		if record["level"] == slog.LevelWarn.String() {
			odd[record["backend"]] = record["rule"]
		}
	}
	if len(odd) != 2 || odd["odd-port"] != "port 0 is not 1–65535" || !strings.Contains(fmt.Sprint(odd["odd-protocol"]), "http") {
		t.Errorf("the log warns of %v", odd)
	}
}
