// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// trace is a middleware that notes when it is passed.
func trace(into *[]string, name string) plugin.Middleware {
	return func(m plugin.Method, next plugin.Handler) plugin.Handler {
		*into = append(*into, name+" around "+m.Name())
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			*into = append(*into, name)
			next(ctx, params, yield)
		}
	}
}

func streamOf(fn func(ctx context.Context, yield func(any, error) bool), options ...plugin.Option) plugin.Method {
	return plugin.Stream("m", "", func(ctx context.Context, _ plugin.None) iter.Seq2[any, error] {
		return func(yield func(any, error) bool) { fn(ctx, yield) }
	}, options...)
}

// TestMiddlewareOrder: what is named first is outermost, and a definition's
// goes around a method's own.
func TestMiddlewareOrder(t *testing.T) {
	var got []string
	m := streamOf(func(_ context.Context, yield func(any, error) bool) { yield(1, nil) },
		plugin.Wrap(trace(&got, "c"), trace(&got, "d")), plugin.Wrap(trace(&got, "b")))
	tree, err := plugin.TreeOf(plugin.Definition{
		Namespace: "n", Methods: []plugin.Method{m},
		Children:   []plugin.Activation{plugin.Definition{Namespace: "child"}},
		Middleware: []plugin.Middleware{trace(&got, "a"), trace(&got, "a2")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"d around m", "c around m", "b around m", "a2 around m", "a around m"}; !slices.Equal(got, want) {
		t.Errorf("wrapped %q, want %q", got, want)
	}
	got = nil
	outcome(t, tree.Methods[0], t.Context(), "")
	if want := []string{"a", "a2", "b", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("passed %q, want %q", got, want)
	}
	got = nil
	outcome(t, m, t.Context(), "")
	if want := []string{"b", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("the method itself has become another: passed %q, want %q", got, want)
	}
	if tree.Methods[0].Schema().Hash != m.Schema().Hash {
		t.Error("a middleware is no content, but changes the hash")
	}
}

// TestMiddlewareGuardsWhatFindsChildren: their names are the activation's to
// tell.
func TestMiddlewareGuardsWhatFindsChildren(t *testing.T) {
	tree, err := plugin.TreeOf(plugin.Definition{Namespace: "n", Middleware: []plugin.Middleware{plugin.Access("x")}, Dynamic: &plugin.Dynamic{
		Kind: "child",
		Find: func(context.Context, string) (plugin.Activation, error) {
			return plugin.Definition{Namespace: "c"}, nil
		},
		List:   func(context.Context) iter.Seq2[string, error] { return maps.All(map[string]error{"c": nil}) },
		Search: func(context.Context, string) iter.Seq2[string, error] { return maps.All(map[string]error{"c": nil}) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range tree.Methods {
		for scope, want := range map[string]bool{"x": true, "y": false} {
			ctx := plugin.WithCaller(t.Context(), plugin.Caller{Name: "ada", Scopes: []string{scope}})
			got := outcome(t, m, ctx, `{"name":"c","query":"c"}`)
			if len(got) != 1 || strings.HasPrefix(got[0], "error missing required scope") == want {
				t.Errorf("%s with the scope %s: %q", m.Name(), scope, got)
			}
		}
	}
}

func TestTiming(t *testing.T) {
	broken := errors.New("broken")
	again := &plugin.Error{Message: "again", Recoverable: true}
	for _, test := range []struct {
		name  string
		fn    func(ctx context.Context, yield func(any, error) bool)
		take  int // how many items the caller takes; 0 for all
		items int
		err   string
	}{
		{"nothing", func(context.Context, func(any, error) bool) {}, 0, 0, ""},
		{"two", func(_ context.Context, yield func(any, error) bool) { _ = yield(1, nil) && yield(2, nil) }, 0, 2, ""},
		{"an error", func(_ context.Context, yield func(any, error) bool) { _ = yield(1, nil) && yield(nil, broken) }, 0, 1, "broken"},
		{"a recoverable error", func(_ context.Context, yield func(any, error) bool) { _ = yield(nil, again) && yield(2, nil) }, 0, 1, ""},
		{"a recoverable error at last", func(_ context.Context, yield func(any, error) bool) { _ = yield(1, nil) && yield(nil, again) }, 0, 1, ""},
		{"a caller that leaves", func(_ context.Context, yield func(any, error) bool) {
			for yield(1, nil) {
			}
		}, 3, 3, ""},
		{"a panic", func(_ context.Context, yield func(any, error) bool) { yield(1, nil); panic("so") }, 0, 1, "it has panicked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []plugin.Outcome
				m := streamOf(func(ctx context.Context, yield func(any, error) bool) {
					time.Sleep(time.Second)
					test.fn(ctx, yield)
				}).With(plugin.Timing(func(_ context.Context, o plugin.Outcome) { got = append(got, o) }))
				func() {
					defer func() { _ = recover() }()
					n := 0
					for range m.Handle((&scope{path: "a.m"}).in(t.Context()), &plugin.None{}) {
						if n++; n == test.take {
							break
						}
					}
				}()
				if len(got) != 1 {
					t.Fatalf("observed %d times", len(got))
				}
				o, text := got[0], ""
				if o.Err != nil {
					text = o.Err.Error()
				}
				if o.Path != "a.m" || o.Method != "a.m{}" || o.Duration != time.Second || o.Items != test.items || text != test.err {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

func TestLogging(t *testing.T) {
	for _, test := range []struct {
		err  error
		want []string
	}{
		{nil, []string{"level=DEBUG", "msg=called", "method=a.m", "items=1", "duration="}},
		{errors.New("broken"), []string{"level=INFO", "error=broken", "items=0"}},
	} {
		s := &scope{path: "a.m"}
		m := plugin.Unary("m", "", func(context.Context, plugin.None) (int, error) { return 1, test.err }).With(plugin.Logging(slog.LevelDebug))
		outcome(t, m, s.in(t.Context()), "")
		for _, want := range test.want {
			if !strings.Contains(s.log.String(), want) {
				t.Errorf("logged %s, want %s", &s.log, want)
			}
		}
	}
}

func TestAccessAndScopes(t *testing.T) {
	called := 0
	fn := func(context.Context, nameParams) (int, error) { called++; return called, nil }
	for _, test := range []struct {
		name   string
		option plugin.Option
		scopes []string // held by the caller
		want   string
	}{
		{"with the scope", plugin.Requires("notes:write"), []string{"notes:write"}, ""},
		{"without the scope", plugin.Requires("notes:write"), []string{"notes:write:shopping"}, "missing required scope 'notes:write'"},
		{"for a subject, with the scope", plugin.RequiresFor("notes:write", nameOf), []string{"notes:write"}, ""},
		{"for a subject, with its scope", plugin.RequiresFor("notes:write", nameOf), []string{"notes:write:shopping"}, ""},
		{"for a subject, with the scope of another", plugin.RequiresFor("notes:write", nameOf), []string{"notes:write:work"}, "missing required scope 'notes:write:shopping'"},
		{"by a middleware", plugin.Wrap(plugin.Access("notes:write")), []string{"notes:read"}, "missing required scope 'notes:write'"},
	} {
		called = 0
		m := plugin.Unary("m", "", fn, test.option)
		ctx := (&scope{path: "a.m"}).in(plugin.WithCaller(t.Context(), plugin.Caller{Name: "ada", Scopes: test.scopes}))
		want, calls := []string{"1"}, 1
		if test.want != "" {
			want, calls = []string{"error " + test.want}, 0
		}
		if got := outcome(t, m, ctx, `"shopping"`); !slices.Equal(got, want) || called != calls {
			t.Errorf("%s: %q, called %d times", test.name, got, called)
		}
	}
}

func nameOf(in nameParams) string { return in.Name }

func TestDeadline(t *testing.T) {
	const late = "error a.m took longer than 1s"
	waits := func(then func(ctx context.Context) error) func(context.Context, func(any, error) bool) {
		return func(ctx context.Context, yield func(any, error) bool) {
			if yield(1, nil) {
				<-ctx.Done()
				if err := then(ctx); err != nil {
					yield(nil, err)
				}
			}
		}
	}
	for _, test := range []struct {
		name  string
		fn    func(ctx context.Context, yield func(any, error) bool)
		outer time.Duration // of the caller's context; 0 for none
		want  []string
	}{
		{"in time", func(_ context.Context, yield func(any, error) bool) { yield(1, nil) }, 0, []string{"1"}},
		{"in time, with an error", func(_ context.Context, yield func(any, error) bool) { yield(nil, context.DeadlineExceeded) }, 0, []string{"error context deadline exceeded"}},
		{"a stream that ends", waits(func(context.Context) error { return nil }), 0, []string{"1", late}},
		{"a stream that says so", waits(context.Context.Err), 0, []string{"1", late}},
		{"a stream that returns the cause", waits(context.Cause), 0, []string{"1", late}},
		{"a stream that fails otherwise", waits(func(context.Context) error { return errors.New("broken") }), 0, []string{"1", "error broken"}},
		{"a caller's own deadline", waits(context.Context.Err), time.Millisecond, []string{"1", "error context deadline exceeded"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := (&scope{path: "a.m"}).in(t.Context())
				if test.outer > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.outer)
					defer cancel()
				}
				m := streamOf(test.fn, plugin.Timeout(time.Second))
				var got []string
				for content, err := range m.Handle(ctx, &plugin.None{}) {
					if err != nil { // the last
						got = append(got, "error "+err.Error())
						break
					}
					got = append(got, string(mustJSON(t, content)))
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("got  %q\nwant %q", got, test.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		m := plugin.Unary("m", "", func(ctx context.Context, _ plugin.None) (int, error) { <-ctx.Done(); return 0, ctx.Err() }, plugin.Timeout(time.Second))
		if got := outcome(t, m, (&scope{path: "a.m"}).in(t.Context()), ""); !slices.Equal(got, []string{late}) {
			t.Errorf("a unary method that heeds it: %q", got)
		}
		var within context.Context
		m = plugin.Unary("m", "", func(ctx context.Context, _ plugin.None) (int, error) { within = ctx; return 7, nil }, plugin.Timeout(time.Second))
		if got := outcome(t, m, t.Context(), ""); !slices.Equal(got, []string{"7"}) || within.Err() == nil {
			t.Errorf("a unary method that is in time: %q, and its timer runs on", got)
		}
		m = plugin.Unary("m", "", func(context.Context, plugin.None) (int, error) { time.Sleep(time.Hour); return 7, nil }, plugin.Timeout(time.Second))
		if got := outcome(t, m, t.Context(), ""); !slices.Equal(got, []string{"7"}) {
			t.Errorf("a unary method that does not: %q", got)
		}
	})
}

func mustJSON(t *testing.T, content any) []byte {
	t.Helper()
	text, err := codec.AppendJSON(nil, content)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
