// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"slices"

	"github.com/plexus-go/plexus/storage"
)

// Address is where a hub may be.
type Address struct {
	Protocol string // "ws" or "wss"
	Host     string // a host name or an IP address, without brackets
	Port     int
}

// backend is the entry of a hub of that name at the address.
func (a Address) backend(name string) storage.Backend {
	return storage.Backend{Name: name, Host: a.Host, Port: a.Port, Protocol: a.Protocol, Source: storage.SourceAuto}
}

// discovery finds hubs by asking at known addresses.
type discovery struct {
	addresses []Address
	self      []storage.Backend // the hub that hosts the registry
	feed      *feed             // nil where there is nothing to discover
	found     []string          // the last name that each address has answered; feeds.mu guards it
}

// discover asks at every address, and registers each hub that answers under its
// name.
func (r *Registry) discover(ctx context.Context) {
	d := &r.discovery
	if d.feed == nil {
		return
	}
	if r.health.Probe != nil {
		r.probeAll(ctx, len(d.addresses), func(ctx context.Context, i int) {
			name, err := r.health.Probe(ctx, addressOf(d.addresses[i].backend("")))
			if err != nil {
				return // nobody is there
			}
			b := d.addresses[i].backend(storage.NormalizeName(name))
			if err := b.Validate(); err != nil {
				r.log.Warn("a hub that was discovered can't be registered", "address", addressOf(b), "error", err)
				return
			}
			r.feeds.mu.Lock()
			defer r.feeds.mu.Unlock()
			d.found[i] = b.Name
		})
	}
	r.feeds.mu.Lock()
	defer r.feeds.mu.Unlock()
	list := slices.Clone(d.self)
	for i, name := range d.found {
		if name != "" && !slices.ContainsFunc(list, func(b storage.Backend) bool { return b.Name == name }) {
			list = append(list, d.addresses[i].backend(name))
		}
	}
	d.feed.set(list)
	if _, err := r.reconcile(ctx); err != nil && ctx.Err() == nil {
		r.log.Error("what was discovered could not be registered", "error", err)
	}
}
