// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
)

// announce makes a call as hubs do that announce themselves (section 9 of the
// protocol): it asks for the name of the registry's hub, and makes the call on a
// connection of its own.
func announce(url, method string, params object) (answer object, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if info, err := client.Info(ctx, url); err != nil || info.Name != "registry-hub" {
		return nil, fmt.Errorf("_info says %q, %v", info.Name, err)
	}
	c, err := client.Dial(ctx, url, client.WithoutReconnect())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return client.CallOne[object](ctx, c, method, params)
}

// TestHubsThatAnnounceThemselvesAreListed has 50 hubs come and go at once, with
// restarts of theirs and of the registry.
func TestHubsThatAnnounceThemselvesAreListed(t *testing.T) {
	t.Parallel()
	names, port := numbered("hub", 50), 5000.0
	params := func(i int, name string) object {
		return object{
			"name": name, "host": "127.0.0.1", "port": port + float64(i), "protocol": "ws", "version": "0.4.2",
			"metadata": object{"pid": float64(os.Getpid()), "schema_hash": fmt.Sprintf("%016x", i)}, "source": "auto",
		}
	}
	dir := t.TempDir()
	p := start(t, command(dir))
	allCall := func(method, want string) {
		t.Helper()
		inParallel(len(names), names, func(i int, name string) {
			all := params(i, name)
			if method == "registry.deregister" {
				all = object{"name": name}
			}
			if answer, err := announce(p.url, method, all); err != nil || answer["type"] != want || nameOf(answer) != name {
				t.Errorf("%s: %s is answered %v, %v", name, method, answer, err)
			}
		})
	}
	arrive := func() {
		t.Helper()
		allCall("registry.register", "backend_registered")
	}
	check := func(when string, active bool) map[string]object {
		t.Helper()
		entries := list(t, p.url)
		if len(entries) != len(names) {
			t.Errorf("%s: there are %d entries", when, len(entries))
		}
		for i, name := range names {
			entry := entries[name]
			if entry == nil || entry["is_active"] != active {
				t.Fatalf("%s: %v", when, entry)
			}
			for key, want := range params(i, name) {
				if got := entry[key]; !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %s of %s is %v, want %v", when, key, name, got, want)
				}
			}
		}
		return entries
	}

	w := watch(t, p.url, nil)
	arrive()
	before := check("registered", true)
	port += 1000 // they restart at other ports, without a deregistration
	arrive()
	check("registered again", true)
	allCall("registry.deregister", "backend_deregistered")
	check("deregistered", false)
	if active := connect(t, p.url).list(t, nil); len(active) > 0 {
		t.Errorf("listed are %v", active)
	}
	// The events of each hub come in order, none twice.
	testkit.Eventually(t, "the watch has all", func() bool { return len(w.about(names...)) >= 3*len(names) })
	for _, name := range names {
		w.wants(t, []string{"registered " + name, "registered " + name, "deregistered " + name}, name)
	}

	p.stop(t)
	p = start(t, command(dir))
	check("the registry was restarted", false)
	arrive()
	p.stop(t)
	p = start(t, command(dir))
	for name, entry := range check("both were restarted", true) {
		if entry["id"] != before[name]["id"] || entry["created_at"] != before[name]["created_at"] {
			t.Errorf("%s has become another entry: %v, then %v", name, before[name], entry)
		}
	}
	// A hub that was never there can't leave.
	if answer := connect(t, p.url).call("registry.deregister", object{"name": "nobody"}); answer["message"] != "Backend not found: nobody" {
		t.Errorf("a stranger leaves: %v", answer)
	}
}
