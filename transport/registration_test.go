// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// entry returns a registry's entry of my-hub; nil where there is none.
func entry(t *testing.T, url string) *registryclient.Backend {
	t.Helper()
	c, err := client.Dial(t.Context(), url)
	must(t, err)
	defer c.Close()
	got, err := client.CallOne[struct {
		Backend *registryclient.Backend `json:"backend"`
	}](t.Context(), c, "registry.get", map[string]string{"name": "my-hub"})
	must(t, err)
	return got.Backend
}

// registered waits until my-hub is registered and active.
func registered(t *testing.T, url string) (b *registryclient.Backend) {
	t.Helper()
	testkit.Eventually(t, "the registration", func() bool {
		b = entry(t, url)
		return b != nil && b.Active
	})
	return b
}

func TestWithRegistration(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "")
	url := testhub.Start(t, testhub.Config{Name: "registry-hub", Registry: true}).URL
	t.Setenv("PLEXUS_REGISTRY_URL", url)
	for name, test := range map[string]struct {
		address, registry string
		r                 registryclient.Registration
		want              string // PORT is the listener's
	}{
		"by the environment": {"", "", registryclient.Registration{}, "ws://127.0.0.1:PORT"},
		"by address":         {"", url, registryclient.Registration{}, "ws://127.0.0.1:PORT"},
		"on all interfaces":  {":0", url, registryclient.Registration{}, "ws://127.0.0.1:PORT"},
		"on all by IPv4":     {"0.0.0.0:0", url, registryclient.Registration{}, "ws://127.0.0.1:PORT"},
		"with TLS":           {"", url, registryclient.Registration{}, "wss://127.0.0.1:PORT"},
		"another host":       {"", url, registryclient.Registration{Host: "plexus.example.com"}, "ws://plexus.example.com:PORT"},
		"another address":    {"", url, registryclient.Registration{Host: "plexus.example.com", Port: 443, Protocol: "wss"}, "wss://plexus.example.com:443"},
	} {
		t.Run(name, func(t *testing.T) {
			options := []transport.Option{transport.WithRegistration(test.registry, test.r), transport.WithInsecure()}
			if name == "with TLS" {
				options = append(options, transport.WithTLS(&tls.Config{}))
			}
			h := testhub.Start(t, testhub.Config{Name: "my-hub", Address: test.address, Options: options})
			b := registered(t, url)
			if want := strings.ReplaceAll(test.want, "PORT", h.Port()); b.URL() != want {
				t.Errorf("it is registered at %s, want %s", b.URL(), want)
			}
			var metadata struct {
				Hash string `json:"schema_hash"`
			}
			if err := json.Unmarshal(b.Metadata, &metadata); err != nil || metadata.Hash != h.Hash() || b.Version != h.Schema().Version {
				t.Errorf("it is registered as %+v", b)
			}
			if err := h.Stop(); err != nil {
				t.Error(err)
			}
			if b := entry(t, url); b == nil || b.Active {
				t.Errorf("it has stopped, but is registered as %+v", b)
			}
		})
	}
}

// A hub may be the registry that it registers in, until it has stopped.
func TestWithRegistrationInItself(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "")
	l := testkit.Listen(t)
	address := l.Addr().String()
	l.Close()
	h := testhub.Start(t, testhub.Config{Name: "my-hub", Registry: true, Address: address,
		Options: []transport.Option{transport.WithRegistration("ws://"+address, registryclient.Registration{})}})
	registered(t, h.URL)
	if err := h.Stop(); err != nil {
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

// Then the hub serves all the same, and stops at once.
func TestWithRegistrationWithoutARegistry(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "")
	for name, r := range map[string]registryclient.Registration{"nobody listens": {}, "a mistake": {Protocol: "http"}} {
		t.Run(name, func(t *testing.T) {
			h := testhub.Start(t, testhub.Config{Options: []transport.Option{transport.WithRegistration("ws://127.0.0.1:1", r)}})
			if info, err := client.Info(t.Context(), h.URL); err != nil || info.Name != "hub" {
				t.Errorf("got %v, %v", info, err)
			}
		})
	}
}

func TestTheEnvironmentTurnsRegistrationOff(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "Yes")
	l := testkit.Listen(t)
	h := testhub.Start(t, testhub.Config{Options: []transport.Option{
		transport.WithRegistration("ws://"+l.Addr().String(), registryclient.Registration{})}})
	if _, err := client.Info(t.Context(), h.URL); err != nil {
		t.Error(err)
	}
	if err := h.Stop(); err != nil {
		t.Error(err)
	}
	// A connection would wait in the listener's queue.
	l.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond))
	if conn, err := l.Accept(); err == nil {
		conn.Close()
		t.Error("it has connected to the registry")
	}
}
