// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"sync"

	"github.com/plexus-go/plexus/storage"
)

// Address is where a hub may be.
type Address struct {
	Protocol string // "ws" or "wss"
	Host     string // a host name or an IP address, without brackets
	Port     int
}

// backend is an entry for what answers at the address under that name.
func (a Address) backend(name string) storage.Backend {
	return storage.Backend{Name: name, Host: a.Host, Port: a.Port, Protocol: a.Protocol, Source: storage.SourceAuto}
}

// discovery finds hubs by asking at known addresses.
type discovery struct {
	addresses []Address
	self      []storage.Backend // the hub that hosts the registry
	feed      *feed             // nil where there is nothing to find
	found     []string          // the name that each address last answered
}

// discover asks every address, and registers what answers under the name that
// it answers.
func (r *Registry) discover(ctx context.Context) {
	d := &r.discovery
	if d.feed == nil {
		return
	}
	var mu sync.Mutex
	answered := map[string]bool{}
	for _, b := range d.self {
		answered[b.Name] = true
	}
	if r.health.Probe != nil {
		r.probeAll(ctx, len(d.addresses), func(ctx context.Context, i int) {
			name, err := r.health.Probe(ctx, addressOf(d.addresses[i].backend("")))
			if err != nil {
				return // as good as not there
			}
			b := d.addresses[i].backend(name)
			if err := b.Validate(); err != nil {
				r.log.Warn("a hub that was found can't be registered", "address", addressOf(b), "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			d.found[i] = name
			answered[name] = true
		})
	}
	r.feeds.mu.Lock()
	defer r.feeds.mu.Unlock()
	erased := d.feed.erased
	d.feed.set(d.listed())
	for name := range erased {
		// What was deleted returns when it is found again, not before.
		if !answered[name] {
			d.feed.erased[name] = true
		}
	}
	if _, err := r.reconcile(ctx); err != nil && ctx.Err() == nil {
		r.log.Error("what was found could not be registered", "error", err)
	}
}

// listed is everything that was found, each name once.
func (d *discovery) listed() []storage.Backend {
	backends := append([]storage.Backend{}, d.self...)
	seen := map[string]bool{}
	for _, b := range d.self {
		seen[b.Name] = true
	}
	for i, name := range d.found {
		if name != "" && !seen[name] {
			seen[name] = true
			backends = append(backends, d.addresses[i].backend(name))
		}
	}
	return backends
}
