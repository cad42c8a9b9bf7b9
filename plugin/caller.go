// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Caller is who has made a call, as far as the transport knows.
type Caller struct {
	// Name is the proven name; empty for none.
	Name string
	// Means is how the name was proved: "token", "jwt", "certificate"; empty
	// for none.
	Means string
	// Remote is the caller's network address; empty within the program.
	Remote string
	// Scopes are what it may do: see [Caller.May]. Without any, it may do what
	// needs no scope.
	Scopes []string
}

// Local is the caller of what the program calls itself: it may do everything.
func Local() Caller { return Caller{Name: "local", Means: "local", Scopes: []string{"*"}} }

// May reports whether one of the caller's scopes covers this one. Scopes are
// words between colons, and each covers itself and the narrower ones:
// "registry" covers "registry:write". A star at the end covers every
// continuation: "registry:*", "*". For names from parameters see
// [Caller.MayFor].
func (c Caller) May(scope string) bool {
	return slices.ContainsFunc(c.Scopes, func(held string) bool {
		if begin, open := strings.CutSuffix(held, "*"); open {
			return strings.HasPrefix(scope, begin)
		}
		rest, covers := strings.CutPrefix(scope, held)
		return covers && held != "" && (rest == "" || rest[0] == ':')
	})
}

// MayFor is [Caller.May] for one subject, such as the name of an entry: covered
// by the scope itself, by that of the subject alone, "registry:write:alpha", or
// by that of a prefix, "registry:write:team-a-*". A subject is one unit even if
// it holds colons: "registry:write:alpha" does not cover the subject
// "alpha:beta". How characters are composed makes no difference.
func (c Caller) MayFor(scope, subject string) bool {
	subject = norm.NFC.String(subject)
	return c.May(scope) || slices.ContainsFunc(c.Scopes, func(held string) bool {
		held = norm.NFC.String(held)
		if begin, open := strings.CutSuffix(held, "*"); open {
			return strings.HasPrefix(scope+":"+subject, begin)
		}
		return held == scope+":"+subject
	})
}

// Same reports whether two callers have proved the same name by the same means,
// or none.
func (c Caller) Same(other Caller) bool { return c.Name == other.Name && c.Means == other.Means }

type callerKey struct{}

// WithCaller returns a context whose calls are made for c. Transports use it,
// once for each connection.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, &c)
}

// CallerOf returns who has made the call that runs. It is [Local] unless a
// transport has set another.
func CallerOf(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return *c
	}
	return Local()
}

// Require fails, with CodeUnauthenticated or CodeForbidden, if the caller does
// not hold the scope.
func Require(ctx context.Context, scope string) error {
	return require(ctx, CallerOf(ctx).May(scope), scope)
}

// RequireFor is [Require] for one subject: see [Caller.MayFor].
func RequireFor(ctx context.Context, scope, subject string) error {
	return require(ctx, CallerOf(ctx).MayFor(scope, subject), scope+":"+subject)
}

func require(ctx context.Context, may bool, scope string) error {
	if may {
		return nil
	}
	if CallerOf(ctx).Name == "" {
		return Errorf(CodeUnauthenticated, "Authentication required: %s needs %s", PathOf(ctx), scope)
	}
	// Clients read the scope in this text.
	return &Error{Code: CodeForbidden, Message: "missing required scope '" + scope + "'", Data: forbidden{Scope: scope, Roles: []string{}}}
}

// forbidden is what other Plexus implementations read of a missing scope.
type forbidden struct {
	Scope string   `json:"scope"`
	Roles []string `json:"roles"` // that would have it: there are none here
}

// ErrorKind is the name of the error on the wire.
func (forbidden) ErrorKind() string { return "forbidden" }
