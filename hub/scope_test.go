// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plexus-go/plexus/plugin"
)

type point struct {
	X int `json:"x"`
}

// inner has methods that others call.
func inner(stopped *bool) plugin.Definition {
	yields := func(contents ...any) func(context.Context, plugin.None) iter.Seq2[any, error] {
		return func(context.Context, plugin.None) iter.Seq2[any, error] {
			return func(yield func(any, error) bool) {
				for _, c := range contents {
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
	}
	return plugin.Definition{Namespace: "in", Version: "1.0.0", Methods: []plugin.Method{
		plugin.Stream("points", "", yields(point{1}, &plugin.Error{Message: "again", Recoverable: true}, map[string]int{"x": 2})),
		plugin.Stream("forms", "", yields(&point{1}, map[string]string{"x": "two"}, point{3})),
		plugin.Stream("recovers", "", yields(&plugin.Error{Message: "again", Recoverable: true}, point{3})),
		plugin.Stream("nothing", "", yields()),
		plugin.Stream("fails", "", yields(point{1}, &plugin.Error{Code: 7, Message: "so", Data: point{9}})),
		plugin.Stream("leaks", "", yields(errors.New("password is 123"))),
		plugin.Stream("panics", "", func(context.Context, plugin.None) iter.Seq2[any, error] { panic("so") }),
		plugin.Stream("endless", "", func(ctx context.Context, _ plugin.None) iter.Seq2[any, error] {
			return func(yield func(any, error) bool) {
				defer func() { *stopped = ctx.Err() != nil }()
				for yield(point{0}, nil) {
				}
			}
		}),
		plugin.Unary("who", "", func(ctx context.Context, _ plugin.None) (string, error) {
			c := plugin.CallerOf(ctx)
			return c.Name + " at " + plugin.PathOf(ctx), plugin.Require(ctx, "in")
		}),
		plugin.Unary("progress", "", func(ctx context.Context, _ plugin.None) (int, error) {
			plugin.Progress(ctx, "half", 50)
			return 1, nil
		}),
		plugin.Unary("echo", "", answer),
	}}
}

// outer makes an activation out with a method m that runs fn.
func outer(fn func(ctx context.Context) error) plugin.Definition {
	return plugin.Definition{Namespace: "out", Version: "1.0.0", Methods: []plugin.Method{
		plugin.Unary("m", "", func(ctx context.Context, _ plugin.None) (string, error) { return "fine", fn(ctx) }),
	}}
}

// calling runs fn in a method beside those of inner.
func calling(t *testing.T, ctx context.Context, fn func(ctx context.Context) error) []string {
	t.Helper()
	h, _ := newHub(t, "H", inner(new(bool)), outer(fn))
	return run(ctx, h.Call("out.m", nil))
}

// TestCallsBetweenActivations states what a method gets from another.
func TestCallsBetweenActivations(t *testing.T) {
	for _, test := range []struct {
		path   string
		params any
		want   []string
	}{
		{"in.points", nil, []string{"1", "error 0 again (recoverable)", "2"}},
		{"in.forms", nil, []string{"1", "in.forms: the content is not a hub_test.point: content.x: invalid type: string \"two\", expected i64", "3"}},
		{"in.fails", nil, []string{"1", "error 7 so {9}"}},
		{"in.leaks", nil, []string{"error -32000 in.leaks failed"}},
		{"in.panics", nil, []string{"error -32000 in.panics failed"}},
		{"in.nope", nil, []string{"error -32601 Method not found: in.nope"}},
		{"nope.m", nil, []string{"error -32601 Activation not found: nope"}},
		{"in", nil, []string{"error -32602 Invalid params: Invalid method format: in"}},
		{"in.echo", plugin.None{}, []string{"error -32602 Invalid params: missing field: name"}},
		{"H.call", map[string]string{"method": "in.points"}, []string{"error -32602 call is called by its own path"}},
		{"H.in.points", nil, []string{"1", "error 0 again (recoverable)", "2"}},
	} {
		t.Run(test.path, func(t *testing.T) {
			var got []string
			all := calling(t, t.Context(), func(ctx context.Context) error {
				for p, err := range plugin.Call[point](ctx, test.path, test.params) {
					var fault *plugin.Error
					switch {
					case errors.As(err, &fault):
						line := fmt.Sprintf("error %d %s", fault.Code, fault.Message)
						if fault.Recoverable {
							line = fmt.Sprintf("error 0 %s (recoverable)", fault.Message)
						}
						if fault.Data != nil {
							line += fmt.Sprint(" ", fault.Data)
						}
						got = append(got, line)
					case err != nil:
						got = append(got, err.Error())
					default:
						got = append(got, fmt.Sprint(p.X))
					}
				}
				return nil
			})
			equal(t, all, `data out.m "fine"`, "done")
			equal(t, got, test.want...)
		})
	}
}

func TestCallOneTakesTheFirstContent(t *testing.T) {
	for _, test := range []struct {
		path   string
		params any
		want   string
	}{
		{"in.endless", nil, "{0} <nil>"},
		{"in.recovers", nil, "{3} <nil>"},
		{"in.leaks", nil, "{0} in.leaks failed"},
		{"in.fails", nil, "{1} <nil>"},
		{"in.nothing", nil, "{0} calling in.nothing: no answer"},
		{"in.nothing", func() {}, "{0} calling in.nothing: parameters: "},
	} {
		got := calling(t, t.Context(), func(ctx context.Context) error {
			p, err := plugin.CallOne[point](ctx, test.path, test.params)
			if got := fmt.Sprint(p, err); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s: %s, want %s", test.path, got, test.want)
			}
			return nil
		})
		equal(t, got, `data out.m "fine"`, "done")
	}
}

func TestCallThatIsBrokenOffStopsTheOther(t *testing.T) {
	stopped := false
	h, _ := newHub(t, "H", inner(&stopped), outer(func(ctx context.Context) error {
		n := 0
		for range plugin.Call[point](ctx, "in.endless", nil) {
			if n++; n == 3 {
				break
			}
		}
		if !stopped || ctx.Err() != nil {
			return fmt.Errorf("stopped: %v, the caller's context: %w", stopped, ctx.Err())
		}
		return nil
	}))
	equal(t, run(t.Context(), h.Call("out.m", nil)), `data out.m "fine"`, "done")
}

// TestCallIsForTheSameCaller, and its errors pass through a method that
// returns them.
func TestCallIsForTheSameCaller(t *testing.T) {
	var who string
	ask := func(ctx context.Context) (err error) {
		who, err = plugin.CallOne[string](ctx, "in.who", nil)
		return err
	}
	ctx := plugin.WithCaller(t.Context(), plugin.Caller{Name: "ada", Scopes: []string{"in"}})
	if all := calling(t, ctx, ask); who != "ada at in.who" {
		t.Errorf("%q, %q", who, all)
	}
	ctx = plugin.WithCaller(t.Context(), plugin.Caller{Name: "bob"})
	equal(t, calling(t, ctx, ask), "error -32003 missing required scope 'in'")
}

func TestProgressOfAnotherMethodIsDropped(t *testing.T) {
	got := calling(t, t.Context(), func(ctx context.Context) error {
		n, err := plugin.CallOne[int](ctx, "in.progress", nil)
		plugin.Progress(ctx, fmt.Sprint(n), plugin.Unknown)
		return err
	})
	equal(t, got, "progress", `data out.m "fine"`, "done")
}

// TestNestingOfCallsIsBounded: a method that calls itself comes to an end.
func TestNestingOfCallsIsBounded(t *testing.T) {
	depth := 0
	h, _ := newHub(t, "H", outer(func(ctx context.Context) error {
		depth++
		_, err := plugin.CallOne[string](ctx, "out.m", nil)
		return err
	}))
	equal(t, run(t.Context(), h.Call("out.m", nil)), "error -32602 Invalid params: calls are nested deeper than 8")
	if depth != 9 {
		t.Errorf("%d calls, want one and 8 within it", depth)
	}
}

// TestRemovalWhileAMethodCallsAnother cancels the other one, which the calling
// method sees as an error.
func TestRemovalWhileAMethodCallsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := plugin.Definition{Namespace: "in", Methods: []plugin.Method{
			plugin.Stream("waits", "", func(ctx context.Context, _ plugin.None) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) { <-ctx.Done() }
			}),
		}}
		h, _ := newHub(t, "H", waits, outer(func(ctx context.Context) error {
			_, err := plugin.CallOne[int](ctx, "in.waits", nil)
			return err
		}))
		got := during(t, h.Call("out.m", nil), func() { unregister(t, h, "in") })
		if len(got) != 1 || !strings.HasPrefix(got[0], "error -32000") {
			t.Errorf("%q", got)
		}
	})
}
