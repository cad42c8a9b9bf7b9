// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestDiscoveryFindsHubs finds the hub that is there, the one that comes later,
// and the one that has another name since.
func TestDiscoveryFindsHubs(t *testing.T) {
	t.Parallel()
	first, port := runHub(t, "first", 0), freePort(t)
	p := probing(t, "--auto-register", first.URL, "--auto-register", fmt.Sprint("ws://127.0.0.1:", port),
		"--auto-register", fmt.Sprint("ws://127.0.0.1:", silent(t)))
	c := connect(t, p.url)
	found := func(name string, port int) func() bool {
		return func() bool {
			entry := c.get(t, name)
			return entry != nil && entry["source"] == "auto" && entry["is_active"] == true &&
				entry["host"] == "127.0.0.1" && entry["port"] == float64(port) && entry["protocol"] == "ws"
		}
	}
	testkit.Eventually(t, "first is found", found("first", first.port))
	if entries := c.all(t); len(entries) != 1 {
		t.Errorf("there is %v", entries)
	}
	runHub(t, "later", port)
	testkit.Eventually(t, "later is found", found("later", port))

	// Its name is the hub's to choose.
	first.Stop()
	runHub(t, "renamed", first.port)
	testkit.Eventually(t, "renamed is found", found("renamed", first.port))
	testkit.Eventually(t, "first is inactive", func() bool { return c.get(t, "first")["is_active"] == false })
	if entries := c.all(t); len(entries) != 3 {
		t.Errorf("there is %v", entries)
	}

	// What is found is below everything else.
	c.register(t, object{"name": "later", "host": "elsewhere", "port": 9})
	first = runHub(t, "next", 0) // a round or two pass
	c.register(t, object{"name": "next", "host": "127.0.0.1", "port": first.port})
	testkit.Eventually(t, "a round has passed", func() bool { return c.get(t, "next")["health"] == "passing" })
	if entry := c.get(t, "later"); entry["source"] != "manual" || entry["host"] != "elsewhere" {
		t.Errorf("later: %v", entry)
	}
}

// TestDiscoveryCanBeTurnedOff asks nobody, whatever the environment says.
func TestDiscoveryCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	h := runHub(t, "there", 0)
	cmd := command(t.TempDir(), "--auto-register", "off", "--health-interval", "1s")
	cmd.Env = append(cmd.Env, "REGISTRY_AUTO_REGISTER="+h.URL)
	c := connect(t, start(t, cmd).url)
	other := runHub(t, "other", 0)
	c.register(t, object{"name": "other", "host": "127.0.0.1", "port": other.port})
	testkit.Eventually(t, "a round has passed", func() bool { return c.get(t, "other")["health"] == "passing" })
	if entries := c.all(t); len(entries) != 1 {
		t.Errorf("there is %v", entries)
	}
}

// TestBackendsOfTheEnvironment lists what REGISTRY_BACKENDS does.
func TestBackendsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	cmd := command(t.TempDir())
	cmd.Env = append(cmd.Env, "REGISTRY_BACKENDS=prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446")
	c := connect(t, start(t, cmd).url)
	var got []string
	for _, entry := range c.list(t, nil) {
		got = append(got, fmt.Sprint(entry["name"], "=", entry["protocol"], "://", entry["host"], ":", entry["port"], " ", entry["source"]))
	}
	if want := []string{"prod=wss://plexus.example.com:4444 env", "dev=ws://127.0.0.1:4446 env"}; !slices.Equal(got, want) {
		t.Errorf("listed are %v, want %v", got, want)
	}

	cmd = command(t.TempDir())
	cmd.Env = append(cmd.Env, "REGISTRY_BACKENDS=prod=wss://plexus.example.com:4444,dev=http://127.0.0.1:4446")
	wantLine(t, finish(t, cmd), 2, "REGISTRY_BACKENDS", "dev=http://127.0.0.1:4446")
}

// TestPrecedenceAcrossRestarts runs the registry again and again with the same database, and
// checks each time which source the entry called x has.
func TestPrecedenceAcrossRestarts(t *testing.T) {
	t.Parallel()
	found := runHub(t, "x", 0)
	const (
		fromFile, fromEnv, fromCall = 1001, 1002, 1003
	)
	register := func(t *testing.T, c caller) {
		c.register(t, object{"name": "x", "host": "127.0.0.1", "port": fromCall})
	}
	erase := func(t *testing.T, c caller) {
		c.want(t, "backend_deleted", "registry.delete", object{"name": "x"})
		if entry := c.get(t, "x"); entry != nil {
			t.Errorf("deleted, there is %v", entry)
		}
	}
	type step struct {
		env, file, auto bool                         // who names x
		first           func(t *testing.T, c caller) // what is done first; nil for nothing
		want            string                       // its source, port and whether it is active
	}
	is := func(source string, port int, active bool) string { return fmt.Sprint(source, " ", port, " ", active) }
	tests := map[string][]step{
		"from below": {
			{want: "none"},
			{auto: true, want: is("auto", found.port, true)},
			{auto: true, file: true, want: is("file", fromFile, true)},
			{auto: true, file: true, env: true, want: is("env", fromEnv, true)},
			{auto: true, file: true, env: true, first: register, want: is("manual", fromCall, true)},
			{auto: true, file: true, env: true, want: is("manual", fromCall, true)},
			{want: is("manual", fromCall, true)},
		},
		"dropped": {
			{env: true, want: is("env", fromEnv, true)},
			{want: is("env", fromEnv, false)},
			{file: true, want: is("file", fromFile, true)},
			{want: is("file", fromFile, false)},
			{want: is("file", fromFile, false)},
			{file: true, env: true, want: is("env", fromEnv, true)},
			{file: true, env: true, first: erase, want: "none"},
			{want: "none"},
			{file: true, want: is("file", fromFile, true)},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for i, s := range steps {
				text := "# nothing\n"
				if s.file {
					text = entryText("x", fromFile)
				}
				writeFile(t, filepath.Join(dir, "plexus", "backends.toml"), text)
				cmd := command(dir)
				if s.env {
					cmd.Env = append(cmd.Env, fmt.Sprint("REGISTRY_BACKENDS=x=ws://127.0.0.1:", fromEnv))
				}
				if s.auto {
					cmd.Env = append(cmd.Env, "REGISTRY_AUTO_REGISTER="+found.URL)
				}
				p := start(t, cmd)
				c := connect(t, p.url)
				if s.first != nil {
					s.first(t, c)
				}
				got := func() string {
					entry := c.get(t, "x")
					if entry == nil {
						return "none"
					}
					return fmt.Sprint(entry["source"], " ", entry["port"], " ", entry["is_active"])
				}
				if s.auto && s.want == is("auto", found.port, true) {
					testkit.Eventually(t, "x is found", func() bool { return got() == s.want })
				} else if now := got(); now != s.want {
					t.Errorf("step %d: x is %s, want %s", i+1, now, s.want)
				}
				p.stop(t)
			}
		})
	}
}

// TestAHubTakesOverANameThatTheFileDrops does so without a restart.
func TestAHubTakesOverANameThatTheFileDrops(t *testing.T) {
	t.Parallel()
	found := runHub(t, "x", 0)
	dir := t.TempDir()
	path := filepath.Join(dir, "plexus", "backends.toml")
	writeFile(t, path, entryText("x", 1001)+entryText("y", 1002))
	cmd := command(dir, "--auto-register", found.URL)
	p := start(t, cmd)
	c, w := connect(t, p.url), watch(t, p.url, nil)
	testkit.Eventually(t, "the hub was found", func() bool { return namesOf(t, c, "auto") == "1" })
	if entry := c.get(t, "x"); entry["source"] != "file" {
		t.Errorf("x: %v", entry)
	}
	writeFile(t, path, "# nothing\n")
	testkit.Eventually(t, "y is inactive", func() bool { return c.get(t, "y")["is_active"] == false })
	testkit.Eventually(t, "the watch has both", func() bool { return len(w.about("x", "y")) == 2 })
	w.wants(t, []string{"updated x"}, "x")
	if entry := c.get(t, "x"); entry["source"] != "auto" || entry["port"] != float64(found.port) || entry["is_active"] != true {
		t.Errorf("x: %v", entry)
	}
}

// namesOf is how many names a source lists, according to the status.
func namesOf(t testing.TB, c caller, source string) string {
	t.Helper()
	for _, s := range c.want(t, "status", "registry.status", nil)["sources"].([]any) {
		if s.(object)["source"] == source {
			return fmt.Sprint(s.(object)["names"])
		}
	}
	return ""
}
