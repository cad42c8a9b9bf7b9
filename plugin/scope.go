// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"iter"
	"log/slog"
	"time"
)

// Scope is what a hub gives to each call that it runs. Handlers don't see it:
// they use [Progress], [Ask], [Call], [Resolve], [CallerOf], [PathOf] and
// [Logger], which find it in their context. Who writes a hub of their own
// puts one there, under [ScopeKey].
type Scope interface {
	// Path is where the method was called: "solar.earth.luna.info".
	Path() string
	// Logger logs for the call.
	Logger() *slog.Logger
	// Progress sends an item about how far the method is; percentage is below
	// zero where that is not known.
	Progress(message string, percentage float64)
	// Ask sends a question to the caller and waits for the answer.
	Ask(ctx context.Context, q Query) error
	// Call runs another method of the hub and yields its contents.
	Call(ctx context.Context, path string, params []byte) iter.Seq2[any, error]
	// Resolve asks the activation that owns the handle what it stands for.
	Resolve(ctx context.Context, h Handle) (any, error)
}

// Query is a question on its way to a caller.
type Query struct {
	Data    []byte        // JSON, as clients read it
	Timeout time.Duration // how long the answer is waited for; above zero
	// Accept takes the answer, JSON. An error goes to the client that answered,
	// and the question stays open.
	Accept func(answer []byte) error
}

// ScopeKey finds the [Scope] of a call in its context.
var ScopeKey any = scopeKey{}

type scopeKey struct{}

func scopeOf(ctx context.Context) Scope {
	s, _ := ctx.Value(ScopeKey).(Scope)
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
