// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"iter"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// The methods and their types, for tests that call them without a hub.

type (
	RegisterParams = registerParams
	ListParams     = listParams
	NameParams     = nameParams
	LeaseParams    = leaseParams
	WatchParams    = watchParams
	UpdateParams   = updateParams
	Event          = event
	BackendEvent   = backendEvent
	BackendsEvent  = backendsEvent
	LookupEvent    = lookupEvent
	Metadata       = metadata
)

const (
	StatusUnknown  = statusUnknown
	StatusPassing  = statusPassing
	StatusWarning  = statusWarning
	StatusCritical = statusCritical
)

func (r *Registry) Register(ctx context.Context, in RegisterParams) (Event, error) {
	return r.register(ctx, in)
}
func (r *Registry) List(ctx context.Context, in ListParams) (Event, error) { return r.list(ctx, in) }
func (r *Registry) Get(ctx context.Context, in NameParams) (Event, error)  { return r.get(ctx, in) }
func (r *Registry) Update(ctx context.Context, in UpdateParams) (Event, error) {
	return r.update(ctx, in)
}
func (r *Registry) Delete(ctx context.Context, in LeaseParams) (Event, error) {
	return r.delete(ctx, in)
}
func (r *Registry) Ping(ctx context.Context, in LeaseParams) (Event, error) { return r.ping(ctx, in) }
func (r *Registry) Deregister(ctx context.Context, in LeaseParams) (Event, error) {
	return r.deregister(ctx, in)
}
func (r *Registry) Watch(ctx context.Context, in WatchParams) iter.Seq2[Event, error] {
	return r.watch(ctx, in)
}
func (r *Registry) ReloadEvent(ctx context.Context) (Event, error) {
	return r.reload(ctx, plugin.None{})
}
func (r *Registry) Status(ctx context.Context) (Event, error) { return r.status(ctx, plugin.None{}) }
func NewInfo(b storage.Backend) *BackendInfo                  { return newInfo(b, nil) }
