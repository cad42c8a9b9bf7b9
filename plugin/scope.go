// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/plexus-go/plexus/internal/callscope"
)

// scope is what a hub gives to each call that it runs. Handlers use [Progress],
// [Ask], [Call], [Resolve], [PathOf] and [Logger], which find it in their
// context.
type scope interface {
	Path() string
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
