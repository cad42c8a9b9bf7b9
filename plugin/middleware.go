// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Middleware wraps the handler of a method, once, when the method is mounted:
// for one method by [Wrap], for an activation in its [Definition], for a whole
// hub by an option of the hub. What it does for a call, it does in the handler
// that it returns; [PathOf] and [CallerOf] work there. It sees calls that are
// refused for their parameters, too: see [Handler]. If one of these is made
// directly, it has been answered by what Bind says, whatever a middleware yields.
type Middleware func(m Method, next Handler) Handler

// With returns the method inside these middlewares, of which the first is the
// outermost.
func (m Method) With(wraps ...Middleware) Method {
	for i := len(wraps) - 1; i >= 0; i-- {
		m.handle = wraps[i](m, m.handle)
	}
	return m
}

// Outcome is how a call ended, for those who observe it.
type Outcome struct {
	Path     string        // where it was called: see [PathOf]
	Method   string        // which method it is, for labels of metrics: see [TemplateOf]
	Duration time.Duration // until the last item was taken; waiting for the caller is included
	Items    int           // contents that the method has yielded
	// Err is the error that ended the call; nil for none. A caller that leaves
	// is no error, unless the method ends with the error of its context.
	Err error
}

var errPanicked = errors.New("it has panicked")

// Timing calls observe after every call, on the call's goroutine, also if the
// method panics.
func Timing(observe func(ctx context.Context, o Outcome)) Middleware {
	return func(_ Method, next Handler) Handler {
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			o := Outcome{Err: errPanicked}
			begin := time.Now()
			defer func() {
				o.Path, o.Method, o.Duration = PathOf(ctx), TemplateOf(ctx), time.Since(begin)
				observe(ctx, o)
			}()
			var last error
			next(ctx, params, func(content any, err error) bool {
				var failure *Error
				if last = err; err == nil {
					o.Items++
				} else if errors.As(err, &failure) && failure.Recoverable {
					last = nil // the stream goes on
				}
				return yield(content, err)
			})
			o.Err = last
		}
	}
}

// Logging logs every call when it has ended, to its [Logger]: at this level,
// and one level of slog higher where it failed.
func Logging(level slog.Level) Middleware {
	return Timing(func(ctx context.Context, o Outcome) {
		at, attributes := level, []any{"duration", o.Duration, "items", o.Items}
		if o.Err != nil {
			at, attributes = level+4, append(attributes, "error", o.Err)
		}
		Logger(ctx).Log(ctx, at, "called", attributes...)
	})
}

// Access rejects callers without the scope: see [Require].
func Access(scope string) Middleware {
	return access(func(ctx context.Context, _ any) error { return Require(ctx, scope) })
}

func access(check func(ctx context.Context, params any) error) Middleware {
	return func(_ Method, next Handler) Handler {
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			if _, refused := params.(error); !refused {
				if err := check(ctx, params); err != nil {
					yield(nil, err)
					return
				}
			}
			next(ctx, params, yield)
		}
	}
}

// Deadline ends the context of a call after d, which must be above zero. A
// method that stops then fails with an error that says so. One that ignores its
// context is not stopped.
func Deadline(d time.Duration) Middleware {
	return func(m Method, next Handler) Handler {
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			late := &Error{Message: fmt.Sprintf("%s took longer than %v", PathOf(ctx), d)}
			inner, cancel := context.WithTimeoutCause(ctx, d, late)
			defer cancel()
			isLate := func() bool { return context.Cause(inner) == error(late) }
			wanted := true
			next(inner, params, func(content any, err error) bool {
				if errors.Is(err, context.DeadlineExceeded) && isLate() {
					err = late
				}
				wanted = yield(content, err)
				return wanted
			})
			// A stream that ends without an error because its context did has failed.
			if m.schema.Streaming && wanted && isLate() {
				yield(nil, late)
			}
		}
	}
}
