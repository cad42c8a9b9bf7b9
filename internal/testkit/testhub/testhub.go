// SPDX-License-Identifier: AGPL-3.0-only

package testhub

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
)

// Config says what is served. The zero value is a hub named "hub" that hosts
// nothing, on a free port.
type Config struct {
	Name        string
	Activations []plugin.Activation
	Registry    bool   // whether a registry is hosted as well
	Database    string // path of the registry's database; empty for one in memory
	Address     string // host:port to listen on; empty for a free port
	Options     []transport.Option

	RegistryOptions []registry.Option
}

// Hub is a hub that is being served.
type Hub struct {
	*hub.Hub
	URL      string // ws://127.0.0.1:port
	Addr     string // 127.0.0.1:port
	Server   *transport.Server
	Registry *registry.Registry // nil without one
	Log      *testkit.Log       // of hub and server, from level debug on

	stop func() error
}

// Start serves a hub until the test ends or [Hub.Stop] is called.
func Start(t testing.TB, config Config) *Hub {
	t.Helper()
	h := &Hub{Log: new(testkit.Log)}
	log := slog.New(slog.NewTextHandler(h.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	inner, err := hub.New(cmp.Or(config.Name, "hub"), hub.WithLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	h.Hub = inner
	closeRegistry := func() error { return nil }
	if config.Registry {
		store, err := sqlite.Open(context.Background(), cmp.Or(config.Database, ":memory:"))
		if err != nil {
			t.Fatal(err)
		}
		if h.Registry, err = registry.New(context.Background(), store, config.RegistryOptions...); err != nil {
			t.Fatal(err)
		}
		closeRegistry = func() error { return errors.Join(h.Registry.Close(), store.Close()) }
		config.Activations = append(config.Activations[:len(config.Activations):len(config.Activations)], h.Registry)
	}
	for _, activation := range config.Activations {
		if err := inner.Register(activation); err != nil {
			t.Fatal(err)
		}
	}
	var listener net.Listener
	testkit.Eventually(t, "the address to be free", func() bool {
		listener, err = net.Listen("tcp", cmp.Or(config.Address, "127.0.0.1:0"))
		return err == nil
	})
	h.Addr = transport.LocalAddress(listener.Addr()).String()
	h.URL = "ws://" + h.Addr
	h.Server = transport.New(inner, append([]transport.Option{transport.WithLogger(log)}, config.Options...)...)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.Server.Serve(ctx, listener) }()
	h.stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-served, closeRegistry())
	})
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Errorf("stop of %s: %v", h.URL, err)
		}
	})
	return h
}

// Stop stops serving gracefully, and closes the registry. It may be called
// again, and returns the same error.
func (h *Hub) Stop() error { return h.stop() }

// Port is the port that the hub listens on.
func (h *Hub) Port() string { return h.Addr[strings.LastIndexByte(h.Addr, ':')+1:] }
