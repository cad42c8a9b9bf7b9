// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/plugin"
)

// table is the state of a hub at one moment. It is never changed.
type table struct {
	mounts map[string]*mount    // by namespace
	owners map[uuid.UUID]*mount // of handles
	schema plugin.Schema
	text   raw // the schema's JSON
}

// replace makes and publishes the table for mounts.
func (h *Hub) replace(mounts map[string]*mount) {
	t := &table{mounts: mounts, owners: map[uuid.UUID]*mount{}, schema: plugin.Schema{
		Namespace: h.namespace, Version: h.version, Description: h.description, Methods: h.methods,
	}}
	for _, namespace := range slices.Sorted(maps.Keys(mounts)) {
		m := mounts[namespace]
		t.schema.Children = append(t.schema.Children, m.summary())
		t.own(m)
	}
	for _, namespace := range slices.Sorted(maps.Keys(mounts)) {
		t.ownBelow(mounts[namespace])
	}
	t.schema.Seal()
	t.text = encoded(t.schema)
	h.table.Store(t)
}

// own makes m the owner of its handles, unless another activation with its
// namespace and major version already is.
func (t *table) own(m *mount) {
	if m.tree.Definition.Resolve != nil && t.owners[m.id] == nil {
		t.owners[m.id] = m
	}
}

// ownBelow does so for the fixed children of m, siblings before what is below
// them.
func (t *table) ownBelow(m *mount) {
	children := slices.Sorted(maps.Keys(m.children))
	for _, name := range children {
		t.own(m.children[name])
	}
	for _, name := range children {
		t.ownBelow(m.children[name])
	}
}

// resolve asks the activation that owns a handle what it stands for. The error
// wraps plugin.ErrNoHandle where there is none.
func (h *Hub) resolve(ctx context.Context, handle plugin.Handle) (value any, err error) {
	m := h.table.Load().owners[handle.PluginID]
	r := &run{}
	r.Context, r.cancel = context.WithCancelCause(ctx)
	defer r.leave()
	if m == nil || !m.lifecycle.enter(r) {
		return nil, &plugin.Error{Message: plugin.ErrNoHandle.Error() + ": " + shown(handle.String()), Err: plugin.ErrNoHandle}
	}
	r.admitted, r.route = true, &Route{hub: h, lifecycle: m.lifecycle, path: m.path + " handle"}
	err = r.guard(func() (err error) {
		value, err = m.tree.Definition.Resolve(r, handle)
		return err
	})
	return value, err
}
