// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// workerVariable makes this program of tests the hub that registers itself, in a
// process that a test can kill.
const workerVariable = "PLEXUS_TEST_WORKER"

// work serves the hub "worker", as a program does that is not ours to change,
// until it is told to stop.
func work() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := hub.New("worker")
	if err != nil {
		return err
	}
	if err := h.Register(echo.New()); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("ws://%s\n", listener.Addr())
	return transport.New(h, transport.WithRegistration("", registryclient.Registration{TTL: term})).Serve(ctx, listener)
}

// TestHubThatRegistersItself kills the registry, and the hub, as processes.
func TestHubThatRegistersItself(t *testing.T) {
	t.Parallel()
	registry := start(t, command(t.TempDir()))
	url, port := registry.url, registry.url[strings.LastIndex(registry.url, ":")+1:]
	worker := func() *process {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), workerVariable+"=1", "PLEXUS_REGISTRY_URL="+url, "PLEXUS_NO_REGISTRY=")
		return start(t, cmd)
	}
	kill := func(p *process) {
		t.Helper()
		p.signal(t, syscall.SIGKILL)
		p.wait(t)
	}
	// active waits until the hub is, or is not. A connection of its own is made
	// each time, since the registry comes and goes.
	active := func(want bool, within time.Duration) {
		t.Helper()
		begun := time.Now()
		testkit.Eventually(t, fmt.Sprint("the hub's being active is ", want), func() bool {
			entries := connect(t, url).all(t)
			if len(entries) > 1 {
				t.Fatalf("entries: %v", entries)
			}
			return len(entries) == 1 && entries["worker"]["is_active"] == want
		})
		t.Logf("after %v, of %v", time.Since(begun).Round(time.Millisecond), within)
	}
	const again = 5 * time.Second // is promised for the registry's return
	hub := worker()
	active(true, again)

	kill(registry)
	registry = start(t, command(t.TempDir(), "--port", port)) // which knows nothing
	active(true, again)

	kill(hub)
	active(false, term)
	hub = worker()
	active(true, again)

	kill(registry)
	kill(hub)
	start(t, command(t.TempDir(), "--port", port))
	hub = worker()
	active(true, again)
	hub.stop(t)
	active(false, 0)
}
