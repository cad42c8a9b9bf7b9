// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/plexus-go/plexus/plugin"
)

// DefaultRegistrations is how many entries one caller may have registered unless
// WithRegistrations sets another number.
const DefaultRegistrations = 10_000

// quota counts the entries that each caller has registered since the start of
// the program. All callers without a name count as one.
type quota struct {
	refused atomic.Int64 // how many registrations were too many

	max int

	mu    sync.Mutex
	owner map[string]identity // by the name of the entry
	count map[identity]int
}

// identity is what makes callers the same.
type identity struct{ name, means string }

// take counts a registration for the caller, and fails where it has too many.
// undo gives the entry back to who has had it.
func (q *quota) take(ctx context.Context, name string) (undo func(), err error) {
	caller := plugin.CallerOf(ctx)
	who := identity{caller.Name, caller.Means}
	q.mu.Lock()
	defer q.mu.Unlock()
	before, owned := q.owner[name]
	if owned && before == who {
		return func() {}, nil
	}
	if q.count[who] >= q.max {
		q.refused.Add(1)
		return nil, plugin.Errorf(plugin.CodeTooMany,
			"Too many registrations: %d entries are registered by this caller, as many as one may have", q.count[who])
	}
	q.give(name, who)
	return func() {
		q.release(name)
		if owned {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.give(name, before)
		}
	}, nil
}

// release forgets an entry that is erased.
func (q *quota) release(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(name)
}

// give makes an entry that of a caller. The caller of give holds mu.
func (q *quota) give(name string, who identity) {
	q.forget(name)
	q.owner[name] = who
	q.count[who]++
}

func (q *quota) forget(name string) {
	who, owned := q.owner[name]
	if !owned {
		return
	}
	delete(q.owner, name)
	if q.count[who]--; q.count[who] == 0 {
		delete(q.count, who)
	}
}
