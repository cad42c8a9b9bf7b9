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
	progress []any
	question string
	timeout  time.Duration
	answers  []string // given to accept one by one
	refusals []string // what accept said
	askErr   error
	contents []any // contents and errors of every call
	called   string
	handle   any
}

func (s *scope) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, callscope.Key{}, s)
}

func (s *scope) Path() string { return s.path }

func (s *scope) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})).With("method", s.path)
}

func (s *scope) Progress(message string, percentage float64) {
	s.progress = append(s.progress, message, percentage)
}

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

func (s *scope) Call(_ context.Context, path string, params []byte) iter.Seq2[any, error] {
	s.called = path + " " + string(params)
	return func(yield func(any, error) bool) {
		for _, c := range s.contents {
			err, failed := c.(error)
			if failed {
				c = nil
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

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

func TestProgressIsAtMostAll(t *testing.T) {
	s := &scope{}
	plugin.Progress(s.in(t.Context()), "a", 130)
	plugin.Progress(s.in(t.Context()), "b", plugin.Unknown)
	if got := s.progress; len(got) != 4 || got[1] != 100.0 || got[3] != -1.0 {
		t.Errorf("%v", got)
	}
}

func TestCallDecodesContents(t *testing.T) {
	again := &plugin.Error{Code: 7, Message: "so", Recoverable: true}
	s := &scope{contents: []any{greeting{"one"}, map[string]string{"text": "two"}, again, map[string]int{"text": 3}, &greeting{"four"}}}
	var got []string
	for g, err := range plugin.Call[greeting](s.in(t.Context()), "a.b", nameParams{"x"}) {
		if err != nil {
			got = append(got, "error "+err.Error())
		} else {
			got = append(got, g.Text)
		}
	}
	if s.called != `a.b {"name":"x"}` {
		t.Errorf("called %s", s.called)
	}
	want := []string{"one", "two", "error so", "error ", "four"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] && (want[i] != "error " || len(got[i]) < 10) {
			t.Errorf("item %d: %q, want %q", i, got[i], want[i])
		}
	}
	one, err := plugin.CallOne[string](s.in(t.Context()), "a.b", func() {})
	if err == nil || one != "" {
		t.Error("parameters that are no JSON were sent")
	}
}

func TestCallOneTakesTheFirstContent(t *testing.T) {
	failed := errors.New("broken")
	for _, test := range []struct {
		name     string
		contents []any
		want     int
		err      string
	}{
		{"a content", []any{1, 2}, 1, ""},
		{"a content after what is recoverable", []any{&plugin.Error{Message: "so", Recoverable: true}, 3}, 3, ""},
		{"an error", []any{failed, 1}, 0, "broken"},
		{"an error for the caller", []any{&plugin.Error{Message: "so"}}, 0, "so"},
		{"nothing", nil, 0, "calling a.b: no answer"},
	} {
		s := &scope{contents: test.contents}
		got, err := plugin.CallOne[int](s.in(t.Context()), "a.b", nil)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s: %d, %v", test.name, got, err)
		}
	}
}
