// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/plugin"
)

// Register starts an activation and its children, where they are
// [plugin.Starter], and mounts it under its namespace. It fails if its
// definition is malformed, if the namespace is taken or the hub's own, or if a
// start fails; then the hub is unchanged. A panic of a middleware of the hub
// reaches the caller of Register.
func (h *Hub) Register(a plugin.Activation) error {
	if err := h.register(a); err != nil {
		return fmt.Errorf("hub %s: register: %w", h.namespace, err)
	}
	return nil
}

func (h *Hub) register(a plugin.Activation) (err error) {
	tree, err := plugin.TreeOf(a)
	if err != nil {
		return err
	}
	namespace := tree.Definition.Namespace
	err = h.change(func(mounts map[string]*mount) error {
		switch {
		case h.closed:
			return errClosed
		case namespace == h.namespace:
			return fmt.Errorf("namespace %q is the hub's own", namespace)
		case h.starting[namespace] || mounts[namespace] != nil:
			return fmt.Errorf("namespace %q is taken", namespace)
		}
		h.starting[namespace] = true
		return nil
	})
	if err != nil {
		return err
	}
	// Without the lock: a start may take its time, or register more.
	life := newLifecycle(h, namespace)
	done := false
	defer func() {
		if !done { // a start has failed, or a middleware has panicked
			err = errors.Join(err, life.close())
		}
		h.changing.Lock()
		defer h.changing.Unlock()
		delete(h.starting, namespace)
	}()
	if err := life.start(tree); err != nil {
		return err
	}
	m := newMount(h, life, tree, nil, namespace)
	err = h.change(func(mounts map[string]*mount) error {
		if h.closed {
			return errClosed
		}
		mounts[namespace] = m
		return nil
	})
	done = err == nil
	return err
}

// change publishes what fn makes of the mounts, if it changes them and does not
// fail.
func (h *Hub) change(fn func(mounts map[string]*mount) error) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	before := h.table.Load().mounts
	mounts := maps.Clone(before)
	err := fn(mounts)
	if err == nil && !maps.Equal(mounts, before) {
		h.replace(mounts)
	}
	return err
}

var errClosed = errors.New("the hub is closed")

// Unregister removes the activation of that namespace. No call of it begins
// any more; those that run are cancelled after the time that [WithDrain] sets.
// Then the activation is closed, if it is an io.Closer.
// It fails if there is no such activation, if calls go on though they are
// cancelled, or if closing fails.
func (h *Hub) Unregister(namespace string) error {
	var m *mount
	err := h.change(func(mounts map[string]*mount) error {
		if m = mounts[namespace]; m == nil {
			return fmt.Errorf("no activation %q", namespace)
		}
		delete(mounts, namespace)
		return nil
	})
	if err == nil {
		err = m.lifecycle.end(namespace, h.drain)
	}
	if err != nil {
		return fmt.Errorf("hub %s: unregister: %w", h.namespace, err)
	}
	return nil
}

// Close unregisters all activations at once, in parallel; none can be registered
// any more. Closing a hub again does nothing.
func (h *Hub) Close() error {
	var closing []*mount
	_ = h.change(func(mounts map[string]*mount) error {
		h.closed, closing = true, sorted(mounts)
		clear(mounts)
		return nil
	})
	failures := make([]error, len(closing))
	var all sync.WaitGroup
	for i, m := range closing {
		failures[i] = fmt.Errorf("close %s: it has ended its goroutine by runtime.Goexit", m.path)
		all.Go(func() { failures[i] = m.lifecycle.end(m.path, h.drain) })
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("hub %s: close: %w", h.namespace, err)
	}
	return nil
}

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
