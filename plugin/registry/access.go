// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/plexus-go/plexus/plugin"
)

// What callers need for the methods of a registry: see plugin.Caller. To write
// one name alone, or those that begin alike, a caller is given a narrower scope:
// "registry:write:alpha", "registry:write:team-a-*".
const (
	ScopeRead  = "registry:read"  // get, list, watch
	ScopeWrite = "registry:write" // register, update, ping, deregister, delete
	ScopeAdmin = "registry:admin" // reload, status
)

// writes makes the option of a method that writes the entry which its
// parameters name.
func writes[In any](name func(in In) string) plugin.Option {
	return plugin.RequiresFor(ScopeWrite, name)
}

// audit logs who has changed what, from where, and how it ended. Of the
// parameters it logs the name and the address: descriptions and metadata may
// hold secrets. Pings that only renew are left out.
func (r *Registry) audit(action string, about func(params any) []any) plugin.Option {
	return plugin.Wrap(func(_ plugin.Method, next plugin.Handler) plugin.Handler {
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			next(ctx, params, func(content any, err error) bool {
				ended := outcome(content, err)
				if ended == "" {
					return yield(content, err)
				}
				caller := plugin.CallerOf(ctx)
				attributes := append([]any{"action", action}, about(params)...)
				attributes = append(attributes, "caller", caller.Name, "means", caller.Means, "remote", caller.Remote)
				attributes = append(attributes, "outcome", ended)
				r.log.InfoContext(ctx, "audit", attributes...)
				return yield(content, err)
			})
		}
	})
}

// outcome words how a write ended; "" for one that changed nothing but when an
// entry was seen, which hubs do over and over.
func outcome(content any, err error) string {
	var told *plugin.Error
	switch {
	case errors.As(err, &told) && (told.Code == plugin.CodeUnauthenticated || told.Code == plugin.CodeForbidden):
		return "denied"
	case err != nil:
		return "failed"
	}
	switch e, _ := content.(event); {
	case e.Error != nil, e.Ping != nil && !e.Ping.Success:
		return "refused"
	case e.Ping != nil && !e.Ping.activated:
		return ""
	}
	return "done"
}

// What the audit tells of the parameters of each method.
func auditRegister(params any) []any {
	in := params.(*registerParams)
	return append(auditName(in.Name), "host", shorten(in.Host), "port", in.Port)
}

func auditUpdate(params any) []any {
	in := params.(*updateParams)
	about := auditName(in.Name)
	if in.Host != nil {
		about = append(about, "host", shorten(*in.Host))
	}
	if in.Port != nil {
		about = append(about, "port", *in.Port)
	}
	return about
}

func auditLease(params any) []any { return auditName(params.(*leaseParams).Name) }

func auditName(name string) []any { return []any{"name", shorten(name)} }

func auditNothing(any) []any { return nil }

// DefaultRegistrations is how many entries one caller may have registered,
// where WithRegistrations does not say.
const DefaultRegistrations = 10_000

// quota counts the entries that each caller has registered since the start of
// the program. All who have not said who they are count as one.
type quota struct {
	refused atomic.Int64 // how many registrations were over it

	most int

	mu    sync.Mutex
	owner map[string]identity // by the name of the entry
	count map[identity]int
}

// identity is what makes callers the same.
type identity struct{ name, means string }

func newQuota() *quota {
	return &quota{most: DefaultRegistrations, owner: map[string]identity{}, count: map[identity]int{}}
}

// take counts a registration, and fails where the caller has too many. What it
// returns takes that back.
func (q *quota) take(ctx context.Context, name string) (undo func(), err error) {
	caller := plugin.CallerOf(ctx)
	who := identity{caller.Name, caller.Means}
	q.mu.Lock()
	defer q.mu.Unlock()
	before, owned := q.owner[name]
	if owned && before == who {
		return func() {}, nil
	}
	if q.count[who] >= q.most {
		q.refused.Add(1)
		return nil, plugin.Errorf(plugin.CodeTooMany,
			"Too many registrations: %d entries are registered by this caller, as many as one may have", q.count[who])
	}
	q.give(name)
	q.owner[name] = who
	q.count[who]++
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.owner[name] == who {
			q.give(name)
		}
		if owned {
			q.owner[name] = before
			q.count[before]++
		}
	}, nil
}

// release forgets an entry that is erased.
func (q *quota) release(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.give(name)
}

func (q *quota) give(name string) {
	who, owned := q.owner[name]
	if !owned {
		return
	}
	delete(q.owner, name)
	if q.count[who]--; q.count[who] == 0 {
		delete(q.count, who)
	}
}
