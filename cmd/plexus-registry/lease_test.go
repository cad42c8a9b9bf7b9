// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// term is the shortest lease.
const term = 5 * time.Second

// leased registers a name for a term.
func leased(t *testing.T, c caller, name string) (id string) {
	t.Helper()
	answer := c.want(t, "backend_registered", "registry.register", object{"name": name, "host": "h", "port": 1, "ttl_seconds": 5})
	id, _ = answer["lease_id"].(string)
	if id == "" || answer["backend"].(object)["ttl_seconds"] != 5.0 {
		t.Fatalf("registered with a ttl: %v", answer)
	}
	return id
}

// TestALeaseExpiresAFullTermAfterARestart renews one lease and not the other. (The
// tests of the registry have all else about leases.)
func TestALeaseExpiresAFullTermAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	c := connect(t, p.url)
	old, expiring := leased(t, c, "renewed"), leased(t, c, "expiring")
	renewed := leased(t, c, "renewed")
	for id, want := range map[string]bool{old: false, renewed: true} {
		if answer := c.want(t, "ping", "registry.ping", object{"name": "renewed", "lease_id": id}); answer["success"] != want {
			t.Errorf("ping: %v, want %v", answer, want)
		}
	}
	if entry := c.get(t, "expiring"); entry["lease_id"] != nil || expiring == renewed {
		t.Errorf("the lease %s is public, or of two: %v", renewed, entry)
	}
	for ttl, good := range map[any]bool{4: false, 5: true, 86_400: true, 86_401: false, 0: false, -1: false, nil: true} {
		answer := c.call("registry.register", object{"name": "other", "host": "h", "port": 1, "ttl_seconds": ttl})
		if (answer["type"] == "backend_registered") != good || (answer["lease_id"] != nil) != (good && ttl != nil) {
			t.Errorf("ttl_seconds %v: %v", ttl, answer)
		}
	}
	p.stop(t)

	restarted := time.Now()
	p = start(t, command(dir))
	c = connect(t, p.url)
	w := watch(t, p.url, nil)
	testkit.Eventually(t, "the lease has expired", func() bool {
		c.want(t, "ping", "registry.ping", object{"name": "renewed"})
		return c.get(t, "expiring")["is_active"] == false
	})
	if took := time.Since(restarted); took < term || took > 3*term {
		t.Errorf("it expired %v after the restart", took)
	}
	w.wants(t, []string{"deregistered expiring"}, "expiring")
	if entry := c.get(t, "renewed"); entry["is_active"] != true {
		t.Errorf("renewed: %v", entry)
	}
	// It may come back.
	if answer := c.want(t, "ping", "registry.ping", object{"name": "expiring"}); answer["success"] != true || c.get(t, "expiring")["is_active"] != true {
		t.Errorf("ping: %v; %v", answer, c.get(t, "expiring"))
	}
}
