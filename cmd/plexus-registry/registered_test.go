// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// TestAHubIsRegisteredAgainAfterTheRegistryWasKilled has a hub keep itself
// registered. The registry that returns knows nothing. (The tests of
// registryclient kill hubs, too.)
func TestAHubIsRegisteredAgainAfterTheRegistryWasKilled(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir()))
	url, port := p.url, p.url[strings.LastIndex(p.url, ":")+1:]
	// A connection of its own is made each time, since the registry comes and goes.
	active := func(want bool) func() bool {
		return func() bool {
			entries := list(t, url)
			return len(entries) == 1 && entries["worker"]["is_active"] == want
		}
	}
	h := testhub.Start(t, testhub.Config{Name: "worker", Options: []transport.Option{
		transport.WithRegistration(url, registryclient.Registration{TTL: 5 * time.Second}),
	}})
	testkit.Eventually(t, "the hub is registered", active(true))
	p.signal(t, os.Kill)
	p.wait(t)
	start(t, command(t.TempDir(), "--port", port))
	testkit.Eventually(t, "the hub is registered again", active(true))
	if err := h.Stop(); err != nil {
		t.Error(err)
	}
	if !active(false)() {
		t.Errorf("the hub has stopped: %v", list(t, url))
	}
}
