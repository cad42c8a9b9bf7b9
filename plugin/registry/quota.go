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

// quota counts the active entries that each caller has registered since the start of
// the program: what is gone costs its caller nothing. All callers without a name
// count as one.
type quota struct {
	refused atomic.Int64 // how many registrations were too many

	max int

	mu     sync.Mutex
	claims map[string]claim // by the name of the entry
	count  map[identity]int // of the claims that count
}

// claim is whose an entry is. It counts while the entry is active, and while it is
// being registered.
type claim struct {
	who    identity
	counts bool
}

// identity is what makes callers the same.
type identity struct{ name, means string }

func newQuota() *quota {
	return &quota{max: DefaultRegistrations, claims: map[string]claim{}, count: map[identity]int{}}
}

// take counts a registration for the caller, and fails where it has too many.
// undo gives the entry back to who has had it.
func (q *quota) take(ctx context.Context, name string) (undo func(), err error) {
	caller := plugin.CallerOf(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.assign(name, identity{caller.Name, caller.Means})
}

// retake counts an entry that becomes active again for who has registered it, as take
// does.
func (q *quota) retake(name string) (undo func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c, claimed := q.claims[name]; claimed {
		return q.assign(name, c.who)
	}
	return func() {}, nil
}

// assign counts an entry for who has it from now on. The caller holds mu.
func (q *quota) assign(name string, who identity) (undo func(), err error) {
	before, claimed := q.claims[name]
	mine := claim{who, true}
	if before == mine {
		return func() {}, nil
	}
	if n := q.count[who]; n >= q.max {
		q.refused.Add(1)
		return nil, plugin.Errorf(plugin.CodeTooMany,
			"Too many registrations: %d entries are registered by this caller, as many as one may have", n)
	}
	q.set(name, mine, true)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.set(name, before, claimed)
	}, nil
}

// follow takes in what has become of an entry, nil where it is erased.
func (q *quota) follow(name string, e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, claimed := q.claims[name]
	if claimed && e == nil {
		q.set(name, claim{}, false)
	} else if claimed {
		c.counts = e.backend.Active()
		q.set(name, c, true)
	}
}

// set replaces the claim to a name, or removes it. The caller holds mu.
func (q *quota) set(name string, c claim, claimed bool) {
	if old := q.claims[name]; old.counts {
		if q.count[old.who]--; q.count[old.who] == 0 {
			delete(q.count, old.who)
		}
	}
	if !claimed {
		delete(q.claims, name)
		return
	}
	q.claims[name] = c
	if c.counts {
		q.count[c.who]++
	}
}
