// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"reflect"
	"strings"
	"sync"

	"github.com/plexus-go/plexus/plugin"
)

// Bounds of what is found at run time.
const (
	mostPath   = 1024 // bytes of a path that leads to a dynamic child
	mostLevels = 16   // of dynamic children one below the other
	mostFound  = 4096 // children that are kept of a registered activation, at all levels together
)

// find returns the route of what follows the path of m; nil if there is none.
func (m *mount) find(rest string) *Route {
	if route := m.routes[rest]; route != nil {
		return route
	}
	// Down the fixed children, then to one that is found at run time.
	for {
		name, below, deeper := strings.Cut(rest, ".")
		if !deeper || len(rest) > mostPath {
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
	return &Route{hub: m.hub, life: m.life, path: m.path + "." + rest, provenance: m.provenance, below: m, rest: rest}
}

// find finds the method of a dynamic child and binds the call to it.
func (r *run) find() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = plugin.Panicked(r, cause)
		}
	}()
	route, path := r.route, r.route.path
	for range mostLevels {
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
			r.call, err = route.Bind(r.call.raw, r.call.positional)
			return err
		}
	}
	return notFound("Method not found: %s: more than %d levels of children", shown(path), mostLevels)
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
	key := place{m, a}
	comparable := reflect.ValueOf(a).Comparable()
	if comparable {
		if known := m.life.found.get(key); known != nil {
			return known, nil
		}
	}
	tree, err := plugin.TreeOf(a)
	if err != nil {
		return nil, err
	}
	child := newMount(m.hub, m.life, tree, m.provenance)
	if comparable {
		m.life.found.keep(key, child)
	}
	return child, nil
}

// place is where a dynamic child was found, and what it is, which can be
// compared.
type place struct {
	below *mount
	child plugin.Activation
}

// found keeps the mounts of dynamic children, those of a whole tree: were there
// a bound at each parent, each level would multiply it. The zero value is
// empty.
type found struct {
	mu     sync.Mutex
	mounts map[place]*mount
}

func (f *found) get(at place) *mount {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mounts[at]
}

func (f *found) keep(at place, child *mount) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mounts == nil || len(f.mounts) >= mostFound {
		f.mounts = map[place]*mount{} // those that are still asked for come back
	}
	f.mounts[at] = child
}
