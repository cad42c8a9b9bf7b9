// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestStatus reads what registry.status says of entries, sources and database.
func TestStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "plexus", "backends.toml")
	writeFile(t, path, entryText("file-1", 1)+entryText("file-2", 2))
	h := runHub(t, "well", 0)
	cmd := command(dir, "--health-interval", "1s", "--health-timeout", "300ms", "--auto-register", h.URL)
	cmd.Env = append(cmd.Env, "REGISTRY_BACKENDS=env-1=ws://127.0.0.1:3")
	begin := time.Now()
	p := start(t, cmd)
	c := connect(t, p.url)
	c.register(t, object{"name": "manual-1", "host": "h", "port": 4})
	c.want(t, "backend_deregistered", "registry.deregister", object{"name": "manual-1"})
	var status object
	testkit.Eventually(t, "the hub is found and passing", func() bool {
		status = c.want(t, "status", "registry.status", nil)
		return status["by_health"].(object)["passing"] == 1.0
	})
	// All but that one are silent, and that at once: it is not their fault.
	number := func(key string) float64 { n, _ := status[key].(float64); return n }
	if number("backends") != 5 || number("active") != 4 || number("revision") < 4 ||
		number("uptime_seconds") > time.Since(begin).Seconds()+1 || status["uptime_seconds"] == nil || status["version"] == "" {
		t.Errorf("the status is %v", status)
	}
	if by := status["by_source"].(object); len(by) != 4 || by["file"] != 2.0 || by["env"] != 1.0 || by["auto"] != 1.0 || by["manual"] != 1.0 {
		t.Errorf("by source: %v", by)
	}
	total := 0.0
	for _, count := range status["by_health"].(object) {
		total += count.(float64)
	}
	if total != 5 {
		t.Errorf("by health: %v", status["by_health"])
	}
	var sources []string
	for _, source := range status["sources"].([]any) {
		s := source.(object)
		sources = append(sources, fmt.Sprint(s["source"], " ", s["names"], " ", s["loaded"], " ", s["error"]))
		if (s["source"] == "file") != (s["place"] == path) {
			t.Errorf("%v is at %v", s["source"], s["place"])
		}
	}
	if want := []string{"env 1 true <nil>", "file 2 true <nil>", "auto 1 true <nil>"}; !slices.Equal(sources, want) {
		t.Errorf("the sources are %v, want %v", sources, want)
	}
	before := number("database_bytes")
	if before < 4096 {
		t.Errorf("the database has %v bytes", before)
	}
	large := strings.Repeat("x", 16_000)
	for _, name := range numbered("large", 20) {
		c.register(t, object{"name": name, "host": "h", "port": 4, "metadata": object{"x": large}})
	}
	revision := number("revision")
	status = c.want(t, "status", "registry.status", nil)
	if number("database_bytes") < before+20*16_000/2 || number("revision") < revision+20 || number("backends") != 25 {
		t.Errorf("after 20 more: %v", status)
	}
}
