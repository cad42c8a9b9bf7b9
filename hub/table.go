// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
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
	all := sorted(mounts)
	for _, m := range all {
		t.schema.Children = append(t.schema.Children, m.summary())
	}
	// Of activations with the same namespace and major version, the highest owns
	// the handles.
	for ; len(all) > 0; all = all[1:] {
		m := all[0]
		if m.tree.Definition.Resolve != nil && t.owners[m.id] == nil {
			t.owners[m.id] = m
		}
		all = append(all, sorted(m.children)...)
	}
	t.schema.Seal()
	t.text = encoded(t.schema)
	h.table.Store(t)
}

// sorted returns mounts in the order of their names.
func sorted(mounts map[string]*mount) (all []*mount) {
	for _, name := range slices.Sorted(maps.Keys(mounts)) {
		all = append(all, mounts[name])
	}
	return all
}
