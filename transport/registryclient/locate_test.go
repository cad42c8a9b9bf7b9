// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

const first, second = "ws://127.0.0.1:4445", "ws://127.0.0.1:4444"

func TestURLsOfTheEnvironment(t *testing.T) {
	for _, test := range []struct {
		url, off string
		want     []string
	}{
		{"", "", []string{first, second}},
		{"  ", "", []string{first, second}},
		{"wss://registry:4445", "", []string{"wss://registry:4445"}},
		{"wss://registry:4445", "1", nil},
		{"", "true", nil},
		{"", "TRUE", nil},
		{"", " Yes ", nil},
		{"", "0", []string{first, second}},
		{"", "no", []string{first, second}},
	} {
		env := map[string]string{"PLEXUS_REGISTRY_URL": test.url, "PLEXUS_NO_REGISTRY": test.off}
		if got := registryclient.URLs(func(name string) string { return env[name] }); !slices.Equal(got, test.want) {
			t.Errorf("%q, %q: got %q, want %q", test.url, test.off, got, test.want)
		}
	}
}

// machine is a loopback of a test's own: what listens there, by address.
type machine struct {
	mu     sync.Mutex
	hubs   map[string]*route
	tokens map[string]string // the credentials that were sent there
}

// host serves what serve does at an address.
func (m *machine) host(t testing.TB, address string, serve func(c *peer)) {
	m.hubs[address] = pretend(t, func(c *peer) {
		m.mu.Lock()
		m.tokens[address] = c.Header.Get("Authorization")
		m.mu.Unlock()
		serve(c)
	})
}

func (m *machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	h := m.hubs["ws://"+address]
	if h == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return h.pipes.Dial(ctx, network, address)
}

func TestTheRegistryIsLookedForAtTheDefaultAddresses(t *testing.T) {
	t.Setenv("PLEXUS_REGISTRY_URL", "")
	t.Setenv("PLEXUS_NO_REGISTRY", "")
	for name, test := range map[string]struct {
		at    []string // registries
		plain []string // hubs without one
		port  int      // at which the hub itself listens
		want  string   // where it is registered
		token string   // what that registry was sent
	}{
		"at 4445":                    {at: []string{first, second}, port: 4446, want: first, token: "Bearer secret"},
		"at 4444, without the token": {at: []string{second}, port: 4446, want: second},
		"not at a hub without one":   {at: []string{second}, plain: []string{first}, port: 4446, want: second},
		"not at its own address":     {at: []string{first, second}, port: 4445, want: second, token: "Bearer secret"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{hubs: map[string]*route{}, tokens: map[string]string{}}
			registries := map[string]*oldRegistry{}
			for _, address := range test.at {
				registries[address] = newOldRegistry(false, false)
				m.host(t, address, registries[address].serve)
			}
			for _, address := range test.plain {
				m.host(t, address, (&oldRegistry{none: true}).serve)
			}
			g := alpha()
			g.Host, g.Port = "hub.example.com", 443
			g.Listener = &net.TCPAddr{IP: net.IPv4zero, Port: test.port}
			r, err := registryclient.Register(t.Context(), "", g, client.WithNetDial(m.dial), client.WithToken("secret"))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := r.Wait(testkit.Context(t)); err != nil {
				t.Fatal(err)
			}
			for address, registry := range registries {
				if there, _ := registry.has("alpha"); there != (address == test.want) {
					t.Errorf("registered at %s: %v", address, there)
				}
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			if got := m.tokens[test.want]; got != test.token {
				t.Errorf("%s was sent %q, want %q", test.want, got, test.token)
			}
		})
	}
}

func TestNothingIsDoneWhereNoRegistryIsToBeUsed(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "1")
	r, err := registryclient.Register(t.Context(), "", registryclient.Registration{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(testkit.Context(t)); !errors.Is(err, registryclient.ErrNoRegistry) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := registryclient.NewResolver(""); !errors.Is(err, registryclient.ErrNoRegistry) {
		t.Errorf("got %v", err)
	}
	for _, err := range registryclient.Watch(t.Context(), "") {
		if !errors.Is(err, registryclient.ErrNoRegistry) {
			t.Errorf("got %v", err)
		}
	}
}
