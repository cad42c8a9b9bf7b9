// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
)

// announcing is a hub that announces itself as the newer ones do (section 9 of
// the protocol): each time it starts, and when it stops.
type announcing struct {
	name string
	port int
}

func (a announcing) params() object {
	return object{
		"name": a.name, "host": "127.0.0.1", "port": a.port, "protocol": "ws", "version": "0.4.2",
		"metadata": object{"pid": float64(os.Getpid()), "schema_hash": fmt.Sprintf("%016x", a.port)}, "source": "auto",
	}
}

// call asks for the name of the registry's hub, makes one call on a connection of
// its own, and wants its answer to be of a type.
func (a announcing) call(url, method string, params object, want string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	info, err := client.Info(ctx, url)
	if err != nil || info.Name != "registry-hub" {
		return fmt.Errorf("%s: _info says %q, %v", a.name, info.Name, err)
	}
	c, err := client.Dial(ctx, url, client.WithoutReconnect())
	if err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	defer c.Close()
	answer, err := client.CallOne[object](ctx, c, method, params)
	if err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	if answer["type"] != want || nameOf(answer) != a.name {
		return fmt.Errorf("%s: %s is answered %v", a.name, method, answer)
	}
	return nil
}

// atOnce has every hub make a call at the same time.
func atOnce(t *testing.T, hubs []announcing, call func(announcing) error) {
	t.Helper()
	var all sync.WaitGroup
	for _, hub := range hubs {
		all.Go(func() {
			if err := call(hub); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestHubsThatAnnounceThemselvesAreListed has 50 hubs come and go at once, with
// restarts of theirs and of the registry.
func TestHubsThatAnnounceThemselvesAreListed(t *testing.T) {
	t.Parallel()
	var hubs []announcing
	for i, name := range numbered("hub", 50) {
		hubs = append(hubs, announcing{name, 5000 + i})
	}
	dir := t.TempDir()
	p := start(t, command(dir))
	arrive := func(a announcing) error { return a.call(p.url, "registry.register", a.params(), "backend_registered") }
	leave := func(a announcing) error {
		return a.call(p.url, "registry.deregister", object{"name": a.name}, "backend_deregistered")
	}
	check := func(when string, active bool) map[string]object {
		t.Helper()
		c := connect(t, p.url)
		entries := c.all(t)
		if len(entries) != len(hubs) {
			t.Errorf("%s: there are %d entries", when, len(entries))
		}
		for _, hub := range hubs {
			entry := entries[hub.name]
			if entry == nil || entry["is_active"] != active {
				t.Fatalf("%s: %v", when, entry)
			}
			for key, want := range hub.params() {
				if got := entry[key]; key != "port" && !reflect.DeepEqual(got, want) || key == "port" && got != float64(hub.port) {
					t.Errorf("%s: %s of %s is %v, want %v", when, key, hub.name, got, want)
				}
			}
		}
		return entries
	}

	w := watch(t, p.url, nil)
	atOnce(t, hubs, arrive)
	before := check("registered", true)
	// They restart at other ports, without a deregistration.
	for i := range hubs {
		hubs[i].port += 1000
	}
	atOnce(t, hubs, arrive)
	check("registered again", true)
	atOnce(t, hubs, leave)
	check("deregistered", false)
	if active := connect(t, p.url).list(t, nil); len(active) > 0 {
		t.Errorf("listed are %v", active)
	}
	// The events of each hub come in order, none twice.
	names := slices.Collect(maps.Keys(before))
	testkit.Eventually(t, "the watch has all", func() bool { return len(w.about(names...)) >= 3*len(hubs) })
	for _, name := range names {
		w.wants(t, []string{"registered " + name, "registered " + name, "deregistered " + name}, name)
	}

	p.stop(t)
	p = start(t, command(dir))
	check("the registry was restarted", false)
	atOnce(t, hubs, arrive)
	p.stop(t)
	p = start(t, command(dir))
	after := check("both were restarted", true)
	for name, entry := range after {
		if entry["id"] != before[name]["id"] || entry["created_at"] != before[name]["created_at"] {
			t.Errorf("%s has become another entry: %v, then %v", name, before[name], entry)
		}
	}
	// A hub that was never there can't leave.
	if answer := connect(t, p.url).call("registry.deregister", object{"name": "nobody"}); answer["message"] != "Backend not found: nobody" {
		t.Errorf("a stranger leaves: %v", answer)
	}
}
