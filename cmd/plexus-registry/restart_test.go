// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestEntriesSurviveARestart starts with an empty home, registers, lists, stops,
// starts again, and finds what was there.
func TestEntriesSurviveARestart(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	begin := func() *process {
		cmd := command(home)
		cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME=") // as most have it
		return start(t, cmd)
	}
	p := begin()
	if entries := list(t, p.url); len(entries) != 0 {
		t.Errorf("a new registry lists %v", entries)
	}
	c := connect(t, p.url)
	c.register(t, object{"name": "mine", "host": "127.0.0.1", "port": 4444})
	if entry := c.get(t, "mine"); entry["health"] != "unknown" || entry["health_latency_ms"] != nil || entry["health_error"] != nil {
		t.Errorf("the health without probes: %v", entry)
	}
	c.register(t, object{"name": "other", "host": "example.com", "port": 443, "protocol": "wss",
		"description": "Somewhere else", "metadata": object{"pid": 1}})
	before := list(t, p.url)
	if len(before) != 2 {
		t.Errorf("it lists %v", before)
	}
	p.stop(t)
	if after := list(t, begin().url); !reflect.DeepEqual(before, after) {
		t.Errorf("before: %v\nafter:  %v", before, after)
	}
	if _, err := os.Stat(filepath.Join(home, ".config", "plexus", "registry.db")); err != nil {
		t.Error(err)
	}
}

// TestTheDatabaseOfTheReferenceRegistryIsServed starts on it twice. (The tests of
// the registry compare its entries.)
func TestTheDatabaseOfTheReferenceRegistryIsServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reference(t, dir)
	for _, opening := range []string{"first", "second"} {
		p := start(t, command(dir))
		const request = `{"jsonrpc":"2.0","id":1,"method":"registry_list","params":{"active_only":false}}`
		conn := testkit.Dial(t, p.url)
		conn.Send(request)
		answer := []json.RawMessage{[]byte(conn.Text()), []byte(conn.Text()), []byte(conn.Text())}
		if err := served(t, p.url).checkExchange(request, answer); err != nil {
			t.Error(err)
		}
		active := map[string]any{}
		for name, entry := range list(t, p.url) {
			active[name] = entry["is_active"]
		}
		want := map[string]any{"fromenv": true, "gone": false, "hub2": true, "lg-000006": true, "lg-000007": true,
			"odd-port": true, "odd-protocol": true, "prod": true}
		if !reflect.DeepEqual(active, want) {
			t.Errorf("%s opening: the entries, and whether they are active: %v", opening, active)
		}
		p.stop(t)
		odd := map[any]any{}
		for _, record := range p.log(t) {
			if record["level"] == slog.LevelWarn.String() {
				odd[record["backend"]] = record["rule"]
			}
		}
		if len(odd) != 2 || odd["odd-port"] != "port 0 is not 1–65535" || !strings.Contains(fmt.Sprint(odd["odd-protocol"]), "http") {
			t.Errorf("%s opening: the log warns of %v", opening, odd)
		}
	}
}
