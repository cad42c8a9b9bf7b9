// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// Namespace is where a registry is mounted, wherever it runs.
const Namespace = "registry"

// Registry is the activation. Make it with [New].
type Registry struct {
	store   storage.Store
	log     *slog.Logger
	version string
	started time.Time

	view    *view     // what reads are answered from
	writing nameLocks // held by writes
	leases  *leases
	quota   *quota

	nameBytes   int
	forgetAfter time.Duration // negative for never
	warnings    []func() []string
	counters    func() map[string]int64

	feeds     feeds
	discovery discovery
	health    Health
	down      atomic.Int32 // an outage: what of ours is down
	rechecks  rechecks

	stop    context.CancelFunc
	running sync.WaitGroup // everything that New has started
}

var _ plugin.Activation = (*Registry)(nil)

// New makes a registry over a store, which stays the caller's to close, after
// the registry. It loads the sources, and fails where one of them does.
func New(ctx context.Context, store storage.Store, options ...Option) (*Registry, error) {
	r := &Registry{
		store:    store,
		log:      slog.Default(),
		version:  "(devel)",
		started:  time.Now(),
		view:     newView(),
		leases:   &leases{deadlines: map[string]deadline{}, timer: time.NewTimer(0)},
		rechecks: rechecks{left: map[string]int{}, timer: time.NewTimer(0)},
		writing:  nameLocks{seed: maphash.MakeSeed()},
		quota:    newQuota(),

		nameBytes:   storage.MaxNameBytes,
		forgetAfter: DefaultForgetAfter,
	}
	r.view.changed = r.quota.follow
	for _, option := range options {
		option(r)
	}
	if s, ok := store.(warning); ok {
		r.warnings = append(r.warnings, s.Warnings)
	}
	if d := &r.discovery; len(d.addresses)+len(d.self) > 0 {
		d.feed = &feed{source: storage.SourceAuto}
		d.found = make([]string, len(d.addresses))
		r.feeds.add(d.feed)
	}
	if err := r.fillView(ctx); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.running.Go(func() { r.follow(running) })
	r.running.Go(func() { r.view.wakeWatches(running) })
	_, err := r.Reload(ctx)
	if err == nil && !r.health.probes() {
		err = r.forgetHealth(ctx)
	}
	if err != nil {
		stop()
		r.running.Wait()
		return nil, err
	}
	entries, _ := r.view.all()
	for _, e := range entries {
		r.restoreLease(e.backend.Name) // one full term after a restart
	}
	r.start(running)
	return r, nil
}

// start runs what changes entries by itself, until Close.
func (r *Registry) start(ctx context.Context) {
	r.running.Go(func() { r.watchLeases(ctx) })
	r.running.Go(func() { r.keepSeen(ctx) })
	if r.forgetAfter > 0 {
		r.running.Go(func() { r.forgetGone(ctx) })
	}
	for _, f := range r.feeds.all {
		if f.from != nil {
			r.running.Go(func() { r.followSource(ctx, f) })
		}
	}
	if r.discovery.feed != nil || r.health.Probe != nil {
		r.running.Go(func() { r.watchHealth(ctx) })
	}
}

// Close ends the registry and waits for what it is doing; the store can be closed
// then. Later writes fail, later reads are answered from the last state.
func (r *Registry) Close() error {
	r.stop()
	r.running.Wait()
	return r.storeSeen(context.Background())
}

// Define describes the activation.
func (r *Registry) Define() plugin.Definition {
	audit, write := plugin.Wrap(r.audit), plugin.RequiresFor(ScopeWrite, leaseParams.name)
	return plugin.Definition{
		Namespace:   Namespace,
		Version:     "1.0.0",
		Description: "Backend discovery and registration service for Plexus hubs",
		Methods: []plugin.Method{
			plugin.Unary("register", "Register a new Plexus backend for discovery", r.register,
				plugin.RequiresFor(ScopeWrite, func(in registerParams) string { return in.Name }), audit),
			plugin.Unary("list", "List all registered backends", r.list, plugin.Quick(), plugin.Requires(ScopeRead)),
			plugin.Unary("get", "Get information about a specific backend by name", r.get, plugin.Quick(), plugin.Requires(ScopeRead)),
			plugin.Unary("update", "Update an existing backend's connection information", r.update,
				plugin.RequiresFor(ScopeWrite, func(in updateParams) string { return in.Name }), audit),
			plugin.Unary("delete", "Remove a backend from the registry", r.delete, write, audit),
			plugin.Unary("ping", "Update the health check timestamp for a backend", r.ping, write, audit),
			plugin.Unary("reload", "Reload backends from the configuration file", r.reload, plugin.Requires(ScopeAdmin), audit),
			plugin.Unary("deregister", "Mark a backend as gone, and keep its entry", r.deregister, write, audit),
			plugin.Stream("watch", "Tell what happens to backends, as it happens", r.watch, plugin.Requires(ScopeRead)),
			plugin.Unary("status", "Tell how the registry is", r.status, plugin.Requires(ScopeAdmin)),
		},
	}
}

// newID makes the id of a new entry: ids grow with time, which orders what
// was created within one second.
func newID() string {
	return uuid.Must(uuid.NewV7()).String()
}
