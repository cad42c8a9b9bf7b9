// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
)

// Option changes a method while it is made.
type Option func(*Method)

// Returns makes T the type that the schema of the results comes from, for a
// handler whose own result type says less: one that yields any, or JSON that
// was written before.
func Returns[T any]() Option {
	returns := resultSchema[T]("Returns")
	return func(m *Method) { m.schema.Returns = returns }
}

// Quick marks a method that never waits, neither for I/O nor for a lock:
// transports may run it where they read the call, which is faster. While it
// runs, nothing else is read from that client.
func Quick() Option { return func(m *Method) { m.quick = true } }

// LongDescription is for what the description, one line, has no room for.
func LongDescription(text string) Option {
	return func(m *Method) { m.schema.LongDescription = text }
}

// Deprecated says since which version of its activation the method should not
// be called any more, in which it will be gone, and what to call instead.
func Deprecated(since, removedIn, message string) Option {
	return func(m *Method) {
		m.schema.Deprecation = &Deprecation{Since: since, RemovedIn: removedIn, Message: message}
	}
}

// Example shows parameters that make sense, of the method's own parameter
// type. It may be given several times.
func Example[In any](in In) Option {
	return func(m *Method) {
		if m.params != reflect.TypeFor[In]() {
			panic(fmt.Sprintf("plugin: method %q: an example of type %T, but its parameters are %s", m.Name(), in, m.params))
		}
		text, err := codec.AppendJSON(nil, in)
		if err == nil {
			_, err = m.Bind(text, false)
		}
		if err != nil {
			panic(fmt.Sprintf("plugin: method %q: example: %v", m.Name(), err))
		}
		m.shown = append(m.shown, text)
	}
}

// HTTPMethod says which HTTP method gateways should offer this one by: GET,
// POST (the default), PUT, PATCH or DELETE.
func HTTPMethod(verb string) Option {
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, verb) {
		panic(fmt.Sprintf("plugin: HTTPMethod: %q is not GET, POST, PUT, PATCH or DELETE", verb))
	}
	return func(m *Method) { m.schema.HTTPMethod = verb }
}

// Timeout bounds how long a call may take: see [Deadline].
func Timeout(d time.Duration) Option {
	if d <= 0 {
		panic(fmt.Sprintf("plugin: Timeout: %v is not above zero", d))
	}
	return Wrap(Deadline(d))
}

// Wrap puts middlewares around the method, of which the first is the
// outermost. A later Wrap goes around an earlier one.
func Wrap(wraps ...Middleware) Option {
	return func(m *Method) { *m = m.With(wraps...) }
}

// Requires rejects callers without the scope, "notes:write", and says so in the
// schema.
func Requires(scope string) Option {
	return func(m *Method) {
		m.schema.Scopes = append(m.schema.Scopes, scope)
		*m = m.With(Access(scope))
	}
}

// RequiresFor is [Requires] for one subject, which the parameters name: with the
// scope "notes:write" and the subject "shopping", a caller needs
// "notes:write:shopping" or all of "notes:write": see [Caller.MayFor].
func RequiresFor[In any](scope string, subject func(in In) string) Option {
	return func(m *Method) {
		if m.params != reflect.TypeFor[In]() {
			panic(fmt.Sprintf("plugin: method %q: RequiresFor has another parameter type than %s", m.Name(), m.params))
		}
		m.schema.Scopes = append(m.schema.Scopes, scope)
		*m = m.With(access(func(ctx context.Context, params any) error {
			return RequireFor(ctx, scope, subject(*params.(*In)))
		}))
	}
}

// Bidirectional marks a method that may [Ask] its caller.
func Bidirectional() Option { return BidirectionalOf[anything, anything]() }

// BidirectionalOf is [Bidirectional] for a method that asks [Custom] questions
// of these types, which the schema shows.
func BidirectionalOf[Q, A any]() Option {
	asks := resultSchema[request[Q, A]]("BidirectionalOf: questions")
	answers := resultSchema[response[A]]("BidirectionalOf: answers")
	return func(m *Method) {
		m.schema.Bidirectional, m.schema.RequestType, m.schema.ResponseType = true, asks, answers
	}
}
