// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// leased registers a name for five seconds.
func leased(t *testing.T, c caller, name string) (id string) {
	t.Helper()
	answer := c.want(t, "backend_registered", "registry.register", object{"name": name, "host": "h", "port": 1, "ttl_seconds": 5})
	id, _ = answer["lease_id"].(string)
	if id == "" || answer["backend"].(object)["ttl_seconds"] != 5.0 {
		t.Fatalf("registered with a ttl: %v", answer)
	}
	return id
}

const term = 5 * time.Second

// TestALeaseExpiresUnlessItIsRenewed renews by ping and by register.
func TestALeaseExpiresUnlessItIsRenewed(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir()))
	c, w := connect(t, p.url), watch(t, p.url, nil)
	pinged := leased(t, c, "pinged")
	again := leased(t, c, "again")
	begin := time.Now()
	leased(t, c, "left")
	c.want(t, "backend_registered", "registry.register", object{"name": "plain", "host": "h", "port": 1})
	for renewed := begin; time.Since(begin) < term+2*time.Second; time.Sleep(20 * time.Millisecond) {
		if time.Since(renewed) > time.Second {
			renewed = time.Now()
			if answer := c.want(t, "ping", "registry.ping", object{"name": "pinged", "lease_id": pinged}); answer["success"] != true {
				t.Fatalf("ping: %v", answer)
			}
			if id := leased(t, c, "again"); id == again {
				t.Fatal("another registration has the same lease")
			}
		}
		if active := c.get(t, "left")["is_active"]; active != true && time.Since(begin) < term {
			t.Fatalf("it expired after %v", time.Since(begin))
		} else if active == true && time.Since(begin) > term+time.Second {
			t.Fatalf("it has not expired after %v", time.Since(begin))
		}
	}
	for _, name := range []string{"pinged", "again", "plain"} {
		if entry := c.get(t, name); entry["is_active"] != true {
			t.Errorf("%s: %v", name, entry)
		}
	}
	w.wants(t, []string{"registered left", "deregistered left"}, "left")
	// It may come back.
	if answer := c.want(t, "ping", "registry.ping", object{"name": "left"}); answer["success"] != true || c.get(t, "left")["is_active"] != true {
		t.Errorf("ping: %v; %v", answer, c.get(t, "left"))
	}
}

// TestALeaseProtectsTheSuccessor calls methods with a lease that another
// registration has replaced.
func TestALeaseProtectsTheSuccessor(t *testing.T) {
	t.Parallel()
	c := connect(t, start(t, command(t.TempDir())).url)
	old := leased(t, c, "x")
	present := leased(t, c, "x")
	for _, method := range []string{"registry.deregister", "registry.delete"} {
		if answer := c.call(method, object{"name": "x", "lease_id": old}); answer["type"] != "error" {
			t.Errorf("%s with an old lease: %v", method, answer)
		}
	}
	if answer := c.want(t, "ping", "registry.ping", object{"name": "x", "lease_id": old}); answer["success"] != false {
		t.Errorf("ping with an old lease: %v", answer)
	}
	if entry := c.get(t, "x"); entry == nil || entry["is_active"] != true {
		t.Fatalf("x: %v", entry)
	}
	if entry := c.get(t, "x"); entry["lease_id"] != nil {
		t.Errorf("the lease is public: %v", entry)
	}
	c.want(t, "backend_deregistered", "registry.deregister", object{"name": "x", "lease_id": present})
	if entry := c.get(t, "x"); entry["is_active"] != false {
		t.Errorf("x: %v", entry)
	}
	c.want(t, "backend_deleted", "registry.delete", object{"name": "x", "lease_id": present})
}

// TestALeaseStartsAgainWithTheRegistry restarts it in the middle of a lease.
func TestALeaseStartsAgainWithTheRegistry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	leased(t, connect(t, p.url), "x")
	time.Sleep(2 * time.Second) // a part of the term
	p.stop(t)
	restarted := time.Now()
	c := connect(t, start(t, command(dir)).url)
	testkit.Eventually(t, "the lease has expired", func() bool { return c.get(t, "x")["is_active"] == false })
	if took := time.Since(restarted); took < term {
		t.Errorf("it expired %v after the restart", took)
	}
}

// TestALeaseHasBounds asks for leases of any length.
func TestALeaseHasBounds(t *testing.T) {
	t.Parallel()
	c := connect(t, start(t, command(t.TempDir())).url)
	for ttl, good := range map[any]bool{4: false, 5: true, 86_400: true, 86_401: false, 0: false, -1: false, nil: true} {
		answer := c.call("registry.register", object{"name": "x", "host": "h", "port": 1, "ttl_seconds": ttl})
		if (answer["type"] == "backend_registered") != good || (answer["lease_id"] != nil) != (good && ttl != nil) {
			t.Errorf("ttl_seconds %v: %v", ttl, answer)
		}
	}
}
