// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"errors"
	"fmt"
	"maps"

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
	if err := h.reserve(namespace); err != nil {
		return err
	}
	// Without the lock: a start may take its time, or register more.
	life := newLifecycle(h, namespace)
	var m *mount
	defer func() {
		if m == nil { // a start has failed, or a middleware has panicked
			err = errors.Join(err, life.close())
			h.mount(namespace, nil)
		}
	}()
	if err := life.start(tree); err != nil {
		return err
	}
	m = newMount(h, life, tree, nil)
	if !h.mount(namespace, m) {
		return errors.Join(errClosed, life.close())
	}
	return nil
}

// mount publishes a mount under its namespace, which was reserved; nil gives up
// the reservation. It reports whether the hub is open still.
func (h *Hub) mount(namespace string, m *mount) bool {
	h.changing.Lock()
	defer h.changing.Unlock()
	delete(h.starting, namespace)
	if m == nil || h.closed {
		return m == nil
	}
	mounts := maps.Clone(h.table.Load().mounts)
	mounts[namespace] = m
	h.replace(mounts)
	return true
}

// reserve takes a namespace for an activation that is about to start.
func (h *Hub) reserve(namespace string) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	switch {
	case h.closed:
		return errClosed
	case namespace == h.namespace:
		return fmt.Errorf("namespace %q is the hub's own", namespace)
	case h.starting[namespace] || h.table.Load().mounts[namespace] != nil:
		return fmt.Errorf("namespace %q is taken", namespace)
	}
	h.starting[namespace] = true
	return nil
}

var errClosed = errors.New("the hub is closed")

// Unregister removes the activation of that namespace. No call of it begins
// any more; those that run are cancelled after the time that [WithDrain] sets.
// Then the activation is closed, if it is an io.Closer.
// It fails if there is no such activation, if calls go on though they are
// cancelled, or if closing fails.
func (h *Hub) Unregister(namespace string) error {
	m := h.unmount(namespace)
	if m == nil {
		return fmt.Errorf("hub %s: unregister: no activation %q", h.namespace, namespace)
	}
	if err := m.lifecycle.end(namespace, h.drain); err != nil {
		return fmt.Errorf("hub %s: unregister: %w", h.namespace, err)
	}
	return nil
}

func (h *Hub) unmount(namespace string) *mount {
	h.changing.Lock()
	defer h.changing.Unlock()
	mounts := h.table.Load().mounts
	m := mounts[namespace]
	if m != nil {
		mounts = maps.Clone(mounts)
		delete(mounts, namespace)
		h.replace(mounts)
	}
	return m
}

// Close unregisters all activations at once, in parallel; none can be registered
// any more. Closing a hub again does nothing.
func (h *Hub) Close() error {
	h.changing.Lock()
	h.closed = true
	mounts := h.table.Load().mounts
	h.replace(map[string]*mount{})
	h.changing.Unlock()
	failures := make(chan error, len(mounts))
	for namespace, m := range mounts {
		go func() {
			err := fmt.Errorf("close %s: it has ended its goroutine by runtime.Goexit", namespace)
			defer func() { failures <- err }()
			err = m.lifecycle.end(namespace, h.drain)
		}()
	}
	var all []error
	for range mounts {
		all = append(all, <-failures)
	}
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("hub %s: close: %w", h.namespace, err)
	}
	return nil
}
