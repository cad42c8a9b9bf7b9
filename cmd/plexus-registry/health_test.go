// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// probing is a registry that asks every second.
func probing(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, command(t.TempDir(), append([]string{"--health-interval", "1s", "--health-timeout", "300ms"}, args...)...))
}

// TestHealthOfEachHub has hubs end in every way, few enough of them at once that
// it is their fault and not ours.
func TestHealthOfEachHub(t *testing.T) {
	t.Parallel()
	p := probing(t)
	c := connect(t, p.url)
	hubs := map[string]liveHub{}
	for _, name := range append([]string{"stopped", "renamed"}, numbered("well", 8)...) {
		hubs[name] = runHub(t, name, 0)
	}
	// One that can be killed is a process of its own.
	killed := start(t, command(t.TempDir(), "--hub-namespace", "killed"))
	var killedPort int
	if _, err := fmt.Sscanf(killed.address(), "127.0.0.1:%d", &killedPort); err != nil {
		t.Fatal(err)
	}
	enter := func(name string, port int) {
		c.register(t, object{"name": name, "host": "127.0.0.1", "port": port})
	}
	enter("silent", silent(t))
	enter("killed", killedPort)
	for name, h := range hubs {
		enter(name, h.port)
	}
	w := watch(t, p.url, nil)

	for _, name := range append([]string{"killed"}, numbered("well", 8)...) {
		testkit.Eventually(t, name+" is passing", func() bool { return c.get(t, name)["health"] == "passing" })
		entry := c.get(t, name)
		if latency, _ := entry["health_latency_ms"].(float64); latency <= 0 || latency > 300 || entry["health_error"] != nil ||
			entry["last_seen"] == nil || entry["is_active"] != true {
			t.Errorf("%s: %v", name, entry)
		}
	}
	// All at once, beside one that accepts and never answers; that which
	// answers under another name is out first.
	hubs["stopped"].Stop()
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	hubs["renamed"].Stop()
	other := runHub(t, "other", hubs["renamed"].port)
	for _, name := range []string{"renamed", "stopped", "killed", "silent"} {
		testkit.Eventually(t, name+" is inactive", func() bool { return c.get(t, name)["is_active"] == false })
		if entry := c.get(t, name); entry["health"] != "critical" || entry["health_error"] == nil {
			t.Errorf("%s: %v", name, entry)
		}
	}
	if entry := c.get(t, "silent"); !within300(entry) || entry["last_seen"] != nil {
		t.Errorf("silent: %v", entry)
	}
	if reason, _ := c.get(t, "renamed")["health_error"].(string); !strings.Contains(reason, `"other"`) {
		t.Errorf("renamed: %q", reason)
	}

	// They return, each where it was.
	runHub(t, "stopped", hubs["stopped"].port)
	start(t, command(t.TempDir(), "--hub-namespace", "killed", "--port", fmt.Sprint(killedPort)))
	other.Stop()
	runHub(t, "renamed", hubs["renamed"].port)
	for _, name := range []string{"stopped", "killed", "renamed"} {
		testkit.Eventually(t, name+" is active again", func() bool { return c.get(t, name)["is_active"] == true })
		// It failed not long ago, and too often, to be called well at once.
		if entry := c.get(t, name); entry["health"] == "critical" || entry["health_error"] != nil {
			t.Errorf("%s: %v", name, entry)
		}
	}

	// The watch has nothing but changes of health about the others. Whoever answered
	// with another name was the first to become inactive.
	changes := func(names ...string) []string {
		return slices.DeleteFunc(w.about(names...), func(event string) bool { return strings.HasPrefix(event, "updated ") })
	}
	wants := func(name string, want ...string) {
		t.Helper()
		testkit.Eventually(t, fmt.Sprintf("the watch has %q", want), func() bool { return slices.Equal(changes(name), want) })
	}
	wants("silent", "deregistered silent")
	for _, name := range []string{"stopped", "killed", "renamed"} {
		wants(name, "deregistered "+name, "registered "+name)
	}
	if all := changes(append(numbered("well", 8), "stopped", "killed", "renamed")...); len(all) != 6 || all[0] != "deregistered renamed" {
		t.Errorf("the watch has %v", all)
	}
}

// within300 reports whether a probe took about as long as it may.
func within300(entry object) bool {
	latency, _ := entry["health_latency_ms"].(float64)
	return latency >= 250 && latency < 3000
}

// A registry that wants credentials stays listed in another one, which may have a
// token for it.
func TestAHubThatWantsCredentialsStaysListed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	tokens := filepath.Join(folder, "tokens.toml")
	secret := newToken(t, tokens, "prober", "--scope=registry:read")
	asked := start(t, command(folder, "--tokens", tokens, "--anonymous", "none", "--hub-namespace", "asked"))
	writeFile(t, filepath.Join(folder, "token"), secret+"\n")
	backends := "REGISTRY_BACKENDS=asked=" + asked.url
	for health, args := range map[string][]string{
		"warning": nil,
		"passing": {"--probe-token-file", filepath.Join(folder, "token")},
	} {
		cmd := command(t.TempDir(), append([]string{"--health-interval", "1s"}, args...)...)
		cmd.Env = append(cmd.Env, backends)
		c := connect(t, start(t, cmd).url)
		testkit.Eventually(t, "it is "+health, func() bool { return c.get(t, "asked")["health"] == health })
		if entry := c.get(t, "asked"); entry["is_active"] != true || entry["last_seen"] == nil {
			t.Errorf("%s: %v", health, entry)
		}
	}
}
