// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/callscope"
	"github.com/plexus-go/plexus/plugin"
)

// scope stands in for a hub.
type scope struct {
	path     string
	log      bytes.Buffer
	question string
	timeout  time.Duration
	answers  []string // given to accept one by one
	refusals []string // what accept said
	askErr   error
	handle   any
}

func (s *scope) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, callscope.Key{}, s)
}

func (s *scope) Path() string { return s.path }

func (s *scope) Template() string { return s.path + "{}" }

func (s *scope) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})).With("method", s.path)
}

func (s *scope) Progress(string, float64) {}

func (s *scope) Ask(_ context.Context, question []byte, timeout time.Duration, accept func([]byte) error) error {
	s.question, s.timeout = string(question), timeout
	for _, a := range s.answers {
		err := accept([]byte(a))
		if err == nil {
			return nil
		}
		s.refusals = append(s.refusals, err.Error())
	}
	return s.askErr
}

func (s *scope) Call(context.Context, string, []byte) iter.Seq2[any, error] { return nil }

func (s *scope) Resolve(context.Context, plugin.Handle) (any, error) {
	if s.handle == nil {
		return nil, plugin.ErrNoHandle
	}
	return s.handle, nil
}

// TestOutsideOfAHub: what needs a hub says so, and what does not goes on.
func TestOutsideOfAHub(t *testing.T) {
	ctx := t.Context()
	plugin.Progress(ctx, "nobody hears", 1)
	if plugin.PathOf(ctx) != "" || plugin.Logger(ctx) != slog.Default() {
		t.Error("a path or a logger of nothing")
	}
	if c := plugin.CallerOf(ctx); !c.Same(plugin.Local()) || !c.May("anything") {
		t.Errorf("the caller is %+v", c)
	}
	if _, err := plugin.Ask(ctx, plugin.Confirm{}); err != plugin.ErrCannotAsk {
		t.Errorf("asked: %v", err)
	}
	if _, err := plugin.CallOne[int](ctx, "a.b", nil); err == nil || err.Error() != "calling a.b: outside of a hub" {
		t.Errorf("called: %v", err)
	}
	if _, err := plugin.Resolve[int](ctx, plugin.Handle{}); !errors.Is(err, plugin.ErrNoHandle) {
		t.Errorf("resolved: %v", err)
	}
}
