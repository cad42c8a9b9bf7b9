// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestNewUser starts with an empty home, registers, lists, stops, starts
// again, and finds what was there.
func TestNewUser(t *testing.T) {
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

// TestPlainHTTP asks as a browser, a health check or a port scanner would.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir()))
	client := &http.Client{Timeout: 5 * time.Second}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		for _, path := range []string{"/", "/favicon.ico", "/any/path?x=1"} {
			request, err := http.NewRequest(method, "http://"+p.address()+path, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Origin", "http://localhost:5173")
			response, err := client.Do(request)
			if err != nil {
				t.Errorf("%s %s: %v", method, path, err)
				continue
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Errorf("%s %s: %v", method, path, err)
			}
			response.Body.Close()
			if response.StatusCode < 400 || response.StatusCode >= 500 {
				t.Errorf("%s %s: %s", method, path, response.Status)
			}
		}
	}
	hubName(t, p.url+"/any/path?x=1")
}

// TestReferenceDatabase starts on a database that the reference registry has
// written.
func TestReferenceDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reference(t, dir)
	const at = 1795337263.0
	row := func(id, host string, port float64, protocol, description, namespace, source string) map[string]any {
		entry := map[string]any{"id": id, "host": host, "port": port, "protocol": protocol, "source": source,
			"is_active": true, "registered_at": at, "created_at": at, "updated_at": at}
		if description != "" {
			entry["description"], entry["namespace"] = description, namespace
		}
		return entry
	}
	load := func(n int) string { return fmt.Sprintf("Load generator backend number %d", n) }
	want := map[string]map[string]any{
		"fromenv":      row("7fc73d01-aa85-49fe-967b-96640e8b28b5", "10.0.0.5", 1029, "ws", load(5), "plexus", "env"),
		"gone":         row("305598fd-64ba-4071-a4de-78515bb26cf5", "10.0.0.2", 1026, "ws", "Stopped last week", "plexus", "manual"),
		"hub2":         row("59517513-f993-40fc-8201-5288da094332", "127.0.0.1", 4457, "ws", "", "", "auto"),
		"lg-000006":    row("04965a97-0fcb-4a68-a434-4ae856bb8f92", "10.0.0.6", 1030, "ws", load(6), "plexus", "manual"),
		"lg-000007":    row("9ccc3b1e-fcab-434f-b9b5-dccc6cc738e9", "10.0.0.7", 1031, "ws", load(7), "plexus", "manual"),
		"odd-port":     row("b91a59f6-f1da-4569-8cbe-edfc8cd49493", "10.0.0.3", 0, "WS", load(3), "plexus", "manual"),
		"odd-protocol": row("8f7329e0-9938-4f4e-bff0-86b048d8e1d3", "10.0.0.4", 1028, "http", load(4), "plexus", "manual"),
		"prod":         row("69b61267-a587-4193-9377-23db402d4fbe", "plexus.example.com", 4444, "wss", "Production — é ☃", "substrate", "file"),
	}
	want["gone"]["is_active"], want["gone"]["last_seen"] = false, 1795330000.0
	want["hub2"]["version"] = "1.0.0"
	want["hub2"]["metadata"] = map[string]any{"pid": 4711.0, "schema_hash": "00e9e57b321aa1bc"}
	want["prod"]["last_seen"] = 1795337300.0
	for name, entry := range want {
		entry["name"] = name
	}
	for _, opening := range []string{"first", "second"} {
		p := start(t, command(dir))
		const request = `{"jsonrpc":"2.0","id":1,"method":"registry_list","params":{"active_only":false}}`
		conn := testkit.Dial(t, p.url)
		conn.Send(request)
		answer := []json.RawMessage{[]byte(conn.Text()), []byte(conn.Text()), []byte(conn.Text())}
		if err := served(t, p.url).checkExchange(request, answer); err != nil {
			t.Error(err)
		}
		conn.Close()
		got := list(t, p.url)
		if len(got) != len(want) {
			t.Errorf("%s opening: %d entries, want %d", opening, len(got), len(want))
		}
		for name, entry := range want {
			if health := got[name]["health"]; health != "unknown" {
				t.Errorf("%s opening: the health of %s is %v", opening, name, health)
			}
			delete(got[name], "health") // the one field that is new
			if !reflect.DeepEqual(got[name], entry) {
				is, _ := json.Marshal(got[name])
				should, _ := json.Marshal(entry)
				t.Errorf("%s opening: %s\nis   %s\nwant %s", opening, name, is, should)
			}
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
