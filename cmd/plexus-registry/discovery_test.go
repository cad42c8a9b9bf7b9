// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
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
