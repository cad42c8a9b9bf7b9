// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"reflect"
	"strings"

	"github.com/plexus-go/plexus/plugin"
)

// Bounds of what is found at run time.
const (
	maxPath   = 1024 // bytes of a path that leads to a dynamic child
	maxLevels = 16   // of dynamic children one below the other
	maxCached = 4096 // mounts of a registered activation, at all levels together
)

// find returns the route of what follows the path of m; nil if there is none.
func (m *mount) find(rest string) *Route {
	if route := m.routes[rest]; route != nil {
		return route
	}
	// Down the fixed children, then to one that is found at run time.
	for {
		name, below, deeper := strings.Cut(rest, ".")
		if !deeper || len(rest) > maxPath {
			return nil
		}
		child := m.children[name]
		if child == nil {
			break
		}
		m, rest = child, below
	}
	if m.tree.Definition.Dynamic == nil {
		return nil
	}
	return &Route{hub: m.hub, lifecycle: m.lifecycle, path: m.path + "." + rest, provenance: m.provenance, below: m, rest: rest}
}

// find finds the method of a dynamic child and binds the call to it.
func (r *run) find() error {
	route, path := r.route, r.route.path
	for range maxLevels {
		name, rest, _ := strings.Cut(route.rest, ".")
		child, err := route.below.child(r, name)
		if err != nil {
			return err
		}
		if route = child.find(rest); route == nil {
			return notFound("Method not found: %s", shown(path))
		}
		if route.below == nil {
			r.route = route
			r.call, _ = route.bind(r.call.raw, r.call.positional) // where it is refused, the middlewares see that
			return nil
		}
	}
	return notFound("Method not found: %s: more than %d levels of children", shown(path), maxLevels)
}

// child returns the dynamic child of that name, mounted.
func (m *mount) child(ctx context.Context, name string) (*mount, error) {
	a, err := m.tree.Definition.Dynamic.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, notFound("Activation not found: %s", shown(m.path+"."+name))
	}
	key := childKey{m, name, a}
	comparable := reflect.ValueOf(a).Comparable()
	if comparable {
		if known := m.lifecycle.mounted(key); known != nil {
			return known, nil
		}
	}
	tree, err := plugin.TreeOfChild(name, a)
	if err != nil {
		return nil, err
	}
	child := newMount(m.hub, m.lifecycle, tree, m.provenance, m.template+".{"+m.tree.Definition.Dynamic.Kind+"}")
	if comparable {
		m.lifecycle.keep(key, child)
	}
	return child, nil
}

// childKey is a dynamic child, its name and its parent.
type childKey struct {
	parent *mount
	name   string
	child  plugin.Activation
}

// mounted returns the mount of a dynamic child, or nil. There is one bound for
// all levels of an activation: one for each parent would multiply.
func (l *lifecycle) mounted(key childKey) *mount {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.children[key]
}

func (l *lifecycle) keep(key childKey, child *mount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.children) >= maxCached {
		clear(l.children) // those still in use are mounted again
	}
	l.children[key] = child
}
