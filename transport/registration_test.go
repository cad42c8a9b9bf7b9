// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run serves a hub until stop is called.
func run(t *testing.T, h *hub.Hub, l net.Listener, options ...transport.Option) (at net.Addr, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- transport.New(h, options...).Serve(ctx, l) }()
	stop = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { stop() })
	return l.Addr(), stop
}

// newRegistry makes a hub that is a registry.
func newRegistry(t *testing.T, name string) *hub.Hub {
	t.Helper()
	store, err := sqlite.Open(t.Context(), ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	reg, err1 := registry.New(t.Context(), store)
	h, err2 := hub.New(name)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := h.Register(reg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(reg.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// entry asks a registry for an entry; nil where there is none.
func entry(t *testing.T, url, name string) *registryclient.Backend {
	t.Helper()
	c, err := client.Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := client.CallOne[struct {
		Backend *registryclient.Backend `json:"backend"`
	}](t.Context(), c, "registry.get", map[string]string{"name": name})
	if err != nil {
		t.Fatal(err)
	}
	return got.Backend
}

// registered waits until a hub is registered and active.
func registered(t *testing.T, url, name string) *registryclient.Backend {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if b := entry(t, url, name); b != nil && b.Active {
			return b
		}
	}
	t.Fatalf("%s is not registered", name)
	return nil
}

func TestWithRegistration(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "")
	at, _ := run(t, newRegistry(t, "registry-hub"), listen(t, "127.0.0.1:0"))
	url := "ws://" + at.String()
	t.Setenv("PLEXUS_REGISTRY_URL", url)
	tests := map[string]struct {
		address, registry string
		r                 registryclient.Registration
		want              string // PORT is the listener's
	}{
		"by the environment": {"127.0.0.1:0", "", registryclient.Registration{}, "ws://127.0.0.1:PORT"},
		"by address":         {"127.0.0.1:0", url, registryclient.Registration{}, "ws://127.0.0.1:PORT"},
		"on all interfaces":  {":0", url, registryclient.Registration{}, "ws://127.0.0.1:PORT"},
		"on all by IPv4":     {"0.0.0.0:0", url, registryclient.Registration{}, "ws://127.0.0.1:PORT"},
		"advertised": {"127.0.0.1:0", url, registryclient.Registration{Host: "plexus.example.com", Port: 443, Protocol: "wss"},
			"wss://plexus.example.com:443"},
		"with TLS":        {"127.0.0.1:0", url, registryclient.Registration{}, "wss://127.0.0.1:PORT"},
		"advertised host": {"127.0.0.1:0", url, registryclient.Registration{Host: "plexus.example.com"}, "ws://plexus.example.com:PORT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, err := hub.New("my-hub", hub.WithVersion("7.8.9"))
			if err != nil {
				t.Fatal(err)
			}
			options := []transport.Option{transport.WithRegistration(test.registry, test.r)}
			if name == "with TLS" {
				options = append(options, transport.WithTLS(&tls.Config{}))
			}
			own, stop := run(t, h, listen(t, test.address), options...)
			_, port, _ := net.SplitHostPort(own.String())
			b := registered(t, url, "my-hub")
			if want := strings.ReplaceAll(test.want, "PORT", port); b.URL() != want {
				t.Errorf("it is registered at %s, want %s", b.URL(), want)
			}
			var metadata struct {
				Hash string `json:"schema_hash"`
			}
			if err := json.Unmarshal(b.Metadata, &metadata); err != nil || metadata.Hash != h.Hash() || b.Version != "7.8.9" {
				t.Errorf("it is registered as %+v", b)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if b := entry(t, url, "my-hub"); b == nil || b.Active {
				t.Errorf("it has stopped, but is registered as %+v", b)
			}
		})
	}
}

// TestWithRegistrationInItself: a hub may be the registry that it registers in,
// up to its last moment.
func TestWithRegistrationInItself(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "")
	h := newRegistry(t, "my-hub")
	l := listen(t, "127.0.0.1:0")
	url := "ws://" + l.Addr().String()
	_, stop := run(t, h, l, transport.WithRegistration(url, registryclient.Registration{}))
	registered(t, url, "my-hub")
	if err := stop(); err != nil {
		t.Error(err)
	}
	for item := range h.Call("registry.get", []byte(`{"name":"my-hub"}`)).Items(t.Context()) {
		if item.Kind != plugin.KindData {
			continue
		}
		text, err := codec.AppendJSON(nil, item.Content)
		if err != nil || !strings.Contains(string(text), `"is_active":false`) {
			t.Errorf("it has stopped, but is registered as %s, %v", text, err)
		}
		return
	}
	t.Error("it is not registered any more")
}

// TestWithRegistrationWithoutARegistry: the hub serves, and stops at once.
func TestWithRegistrationWithoutARegistry(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "")
	for name, g := range map[string]registryclient.Registration{"nobody listens": {}, "a mistake": {Protocol: "http"}} {
		t.Run(name, func(t *testing.T) {
			h, err := hub.New("my-hub")
			if err != nil {
				t.Fatal(err)
			}
			at, stop := run(t, h, listen(t, "127.0.0.1:0"), transport.WithRegistration("ws://127.0.0.1:1", g))
			if info, err := client.Info(t.Context(), "ws://"+at.String()); err != nil || info.Name != "my-hub" {
				t.Errorf("got %v, %v", info, err)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRegistrationIsTurnedOff: whoever runs the hub has the last word.
func TestRegistrationIsTurnedOff(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "Yes")
	l := listen(t, "127.0.0.1:0")
	defer l.Close()
	h, err := hub.New("my-hub")
	if err != nil {
		t.Fatal(err)
	}
	at, stop := run(t, h, listen(t, "127.0.0.1:0"), transport.WithRegistration("ws://"+l.Addr().String(), registryclient.Registration{}))
	if _, err := client.Info(t.Context(), "ws://"+at.String()); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	// Whoever had connected would wait in the listener's queue.
	l.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond))
	if conn, err := l.Accept(); err == nil {
		conn.Close()
		t.Error("it has connected to the registry")
	}
}
