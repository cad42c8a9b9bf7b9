// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/plexus-go/plexus/internal/callscope"
	"github.com/plexus-go/plexus/internal/codec"
)

// scope is what a hub gives to each call that it runs. Handlers use [Progress],
// [Ask], [Call], [Resolve], [PathOf] and [Logger], which find it in their
// context.
type scope interface {
	Path() string
	Template() string
	Logger() *slog.Logger
	Progress(message string, percentage float64)
	// Ask sends a question, JSON, to the caller and waits for the answer. An
	// error of accept goes to the client that answered, and the question stays
	// open.
	Ask(ctx context.Context, question []byte, timeout time.Duration, accept func(answer []byte) error) error
	// Call runs another method of the hub and yields its contents.
	Call(ctx context.Context, path string, params []byte) iter.Seq2[any, error]
	Resolve(ctx context.Context, h Handle) (any, error)
}

// scopeOf returns the scope of the call that runs; nil outside of a hub.
func scopeOf(ctx context.Context) scope {
	s, _ := ctx.Value(callscope.Key{}).(scope)
	return s
}

// PathOf returns where the method that runs was called: "registry.get", or
// "solar.earth.luna.info". It is empty outside of a hub.
func PathOf(ctx context.Context) string {
	if s := scopeOf(ctx); s != nil {
		return s.Path()
	}
	return ""
}

// TemplateOf returns which method runs: [PathOf] with what they are in place of the
// names of dynamic children, "fleet.{truck}.position". There are few of them, whatever
// callers ask for. It is empty outside of a hub.
func TemplateOf(ctx context.Context) string {
	if s := scopeOf(ctx); s != nil {
		return s.Template()
	}
	return ""
}

// Logger returns a logger that says which method logs, and for which caller.
// Outside of a hub it is slog.Default.
func Logger(ctx context.Context) *slog.Logger {
	if s := scopeOf(ctx); s != nil {
		return s.Logger()
	}
	return slog.Default()
}

// Unknown is the percentage of a [Progress] whose end can't be foreseen.
const Unknown float64 = -1

// Progress sends the caller how far the method is: percentage is between 0 and
// 100, or [Unknown]. It waits while the caller does not read. Outside of a hub,
// and once the caller has left, it does nothing.
func Progress(ctx context.Context, message string, percentage float64) {
	if s := scopeOf(ctx); s != nil {
		s.Progress(message, min(percentage, 100))
	}
}

// Call calls another method of the hub that runs this one, by its path
// ("registry.list"), without a socket, and for the same caller. params is encoded
// as JSON, nil for none; each content is decoded into a T. Progress of the
// method is dropped; its questions go to the caller, if both methods are
// [Bidirectional].
//
// The method ends when the range does. An error that ends it is an [Error], as
// a client of the hub would read it.
func Call[T any](ctx context.Context, path string, params any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		s := scopeOf(ctx)
		if s == nil {
			yield(none, fmt.Errorf("calling %s: outside of a hub", path))
			return
		}
		var text []byte
		if params != nil {
			var err error
			if text, err = codec.AppendJSON(nil, params); err != nil {
				yield(none, fmt.Errorf("calling %s: parameters: %w", path, err))
				return
			}
		}
		for content, err := range s.Call(ctx, path, text) {
			value := none
			if err == nil {
				value, err = contentAs[T](path, content)
			}
			if !yield(value, err) {
				return
			}
		}
	}
}

// CallOne is [Call] for a method that answers once: it returns the first
// content, or the first error that is not recoverable.
func CallOne[T any](ctx context.Context, path string, params any) (T, error) {
	for content, err := range Call[T](ctx, path, params) {
		var failure *Error
		if errors.As(err, &failure) && failure.Recoverable {
			continue
		}
		return content, err
	}
	var none T
	return none, fmt.Errorf("calling %s: no answer", path)
}

// contentAs converts what an activation yielded into a T. A T is not copied: it is
// shared with its activation.
func contentAs[T any](from string, content any) (value T, err error) {
	if value, ok := content.(T); ok {
		return value, nil
	}
	if err := decodeContent(content, &value); err != nil {
		return value, fmt.Errorf("%s: the content is not a %T: %w", from, value, err)
	}
	return value, nil
}
