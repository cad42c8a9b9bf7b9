// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"

	"github.com/plexus-go/plexus/plugin"
)

// The scopes that callers need for the methods of a registry: see plugin.Caller.
// A narrower scope allows writing one name only, or the names with one prefix:
// "registry:write:alpha", "registry:write:team-a-*".
const (
	ScopeRead  = "registry:read"  // get, list, watch
	ScopeWrite = "registry:write" // register, update, ping, deregister, delete
	ScopeAdmin = "registry:admin" // reload, status
)

// audit logs who has called a method, from where, for which entry, and how it
// ended. Of the parameters it logs the name and the address: descriptions and
// metadata may hold secrets. Hubs repeat their pings: those that only renew, and
// those of unknown names, are left out.
func (r *Registry) audit(m plugin.Method, next plugin.Handler) plugin.Handler {
	return func(ctx context.Context, params any, yield func(any, error) bool) {
		if _, refused := params.(error); refused { // no write was asked for
			next(ctx, params, yield)
			return
		}
		next(ctx, params, func(content any, err error) bool {
			if ended := outcome(content, err); ended != "" {
				attributes := append([]any{"action", m.Name()}, audited(params)...)
				caller := plugin.CallerOf(ctx)
				attributes = append(attributes, "caller", caller.Name, "means", caller.Means, "remote", caller.Remote, "outcome", ended)
				r.log.InfoContext(ctx, "audit", attributes...)
			}
			return yield(content, err)
		})
	}
}

// outcome says how a write ended; "" for a ping that changed at most when an entry
// was last seen.
func outcome(content any, err error) string {
	var refused *plugin.Error
	switch {
	case errors.As(err, &refused) && (refused.Code == plugin.CodeUnauthenticated || refused.Code == plugin.CodeForbidden):
		return "denied"
	case err != nil:
		return "failed"
	}
	switch e, _ := content.(event); {
	case e.Ping != nil && (e.Ping.unknown || e.Ping.Success && !e.Ping.activated):
		return ""
	case e.Error != nil, e.Ping != nil && !e.Ping.Success:
		return "refused"
	}
	return "done"
}

// audited is what is logged of the parameters of a method.
func audited(params any) (attributes []any) {
	switch in := params.(type) {
	case *registerParams:
		return []any{"name", shorten(in.Name), "host", shorten(in.Host), "port", in.Port}
	case *updateParams:
		attributes = []any{"name", shorten(in.Name)}
		if in.Host != nil {
			attributes = append(attributes, "host", shorten(*in.Host))
		}
		if in.Port != nil {
			attributes = append(attributes, "port", *in.Port)
		}
	case *leaseParams:
		attributes = []any{"name", shorten(in.Name)}
	}
	return attributes
}
