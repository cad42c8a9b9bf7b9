// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// Namespace is where a registry is mounted, wherever it runs.
const Namespace = "registry"

// Registry is the activation. Make it with [New].
type Registry struct {
	store storage.Store
	log   *slog.Logger
	view  *view

	writing nameLocks
	loading sync.Mutex // held while sources are loaded
	sources []*loaded

	stop     context.CancelFunc
	followed chan struct{} // closed when the view is no longer kept
}

var _ plugin.Activation = (*Registry)(nil)

// Option sets what New leaves at its default.
type Option func(*Registry)

// WithLogger sets where the registry logs; the default is nowhere.
func WithLogger(log *slog.Logger) Option { return func(r *Registry) { r.log = log } }

// WithSource adds a source of backends. It is loaded by New and at each
// reload.
func WithSource(s Source) Option {
	return func(r *Registry) { r.sources = append(r.sources, &loaded{source: s}) }
}

// New makes a registry over a store, which stays the caller's to close, after
// the registry. It loads the sources, and fails where one of them does.
func New(ctx context.Context, store storage.Store, options ...Option) (*Registry, error) {
	r := &Registry{
		store:    store,
		log:      slog.New(slog.DiscardHandler),
		view:     newView(),
		writing:  nameLocks{seed: maphash.MakeSeed()},
		followed: make(chan struct{}),
	}
	for _, option := range options {
		option(r)
	}
	sortSources(r.sources)
	revision, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := r.reload(ctx); err != nil {
		return nil, err
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go r.follow(following, revision)
	return r, nil
}

// Close ends the registry; the store can be closed then. Calls that come
// later fail, or are answered from the last state.
func (r *Registry) Close() error {
	r.stop()
	<-r.followed
	return nil
}

// list fills the view from the store.
func (r *Registry) list(ctx context.Context) (revision int64, err error) {
	backends, revision, err := r.store.List(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the registry: %w", err)
	}
	if err := r.view.reset(backends, revision); err != nil {
		return 0, fmt.Errorf("reading the registry: %w", err)
	}
	return revision, nil
}

// follow keeps the view current until ctx is done or the store is closed.
func (r *Registry) follow(ctx context.Context, revision int64) {
	defer close(r.followed)
	for ctx.Err() == nil {
		err := r.watch(ctx, &revision)
		if errors.Is(err, storage.ErrCompacted) {
			var listed int64
			if listed, err = r.list(ctx); err == nil {
				revision = listed
			}
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, storage.ErrClosed):
			r.log.Error("the registry no longer follows its store", "error", err)
			return
		default:
			r.log.Error("the registry can't follow its store, and will try again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(followPause):
			}
		}
	}
}

// followPause is how long a store that failed is left alone.
const followPause = time.Second

// watch follows the store until it says no more; revision is then that of the
// last change.
func (r *Registry) watch(ctx context.Context, revision *int64) error {
	for change, err := range r.store.Watch(ctx, *revision) {
		if err == nil {
			err = r.view.follow(change)
		}
		if err != nil {
			return err
		}
		*revision = change.Revision
	}
	return nil
}

// newID makes the id of a new entry: ids grow with time, which orders what
// was created within one second.
func newID() string {
	return uuid.Must(uuid.NewV7()).String()
}

// Define describes the activation.
func (r *Registry) Define() plugin.Definition {
	return plugin.Definition{
		Namespace:   Namespace,
		Version:     "1.0.0",
		Description: "Backend discovery and registration service for Plexus hubs",
		Methods: []plugin.Method{
			plugin.Unary("register", "Register a new Plexus backend for discovery", r.Register),
			plugin.Unary("list", "List all registered backends", r.List),
			plugin.Unary("get", "Get information about a specific backend by name", r.Get),
			plugin.Unary("update", "Update an existing backend's connection information", r.Update),
			plugin.Unary("delete", "Remove a backend from the registry", r.Delete),
			plugin.Unary("ping", "Update the health check timestamp for a backend", r.Ping),
			plugin.Unary("reload", "Reload backends from the configuration file", r.Reload),
			plugin.Unary("deregister", "Mark a backend as gone, and keep its entry", r.Deregister),
		},
	}
}
