// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
)

// TestAYieldAfterTheEnd, such as from a method that a middleware has given up,
// comes to no other stream, and does not end the process.
func TestAYieldAfterTheEnd(t *testing.T) {
	ended, more := make(chan struct{}), make(chan bool)
	giveUp := hub.WithMiddleware(func(_ plugin.Method, next plugin.Handler) plugin.Handler {
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			go next(ctx, params, func(content any, err error) bool {
				taken := yield(content, err)
				more <- taken
				return taken
			})
			yield(1, nil)
		}
	})
	h := newHubWith(t, "H", []hub.Option{giveUp}, streaming(func(_ context.Context, yield func(any, error) bool) { <-ended; yield(2, nil) }))
	equal(t, run(t.Context(), h.Call("s.m", nil)), "data s.m 1", "done")
	close(ended)
	if <-more {
		t.Error("an item after the end was taken")
	}
}

// TestAMethodThatIgnoresYield is ended: by itself it would go on for ever.
func TestAMethodThatIgnoresYield(t *testing.T) {
	h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
		for {
			yield(1, nil)
		}
	}))
	var calling sync.WaitGroup
	calling.Go(func() {
		for range h.Call("s.m", nil).Items(t.Context()) {
			break
		}
	})
	calling.Wait()
	if got := log.String(); strings.Count(got, "yield has returned false") != 1 {
		t.Errorf("logged %s", got)
	}
	if err := h.Unregister("s"); err != nil {
		t.Errorf("the call is still counted: %v", err)
	}
}

// TestAMethodThatEndsItsGoroutine ends its stream with an error, as one that
// panics does.
func TestAMethodThatEndsItsGoroutine(t *testing.T) {
	h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
		yield(1, nil)
		runtime.Goexit()
	}))
	var got []string
	var calling sync.WaitGroup
	calling.Go(func() {
		for item := range h.Call("s.m", nil).Items(t.Context()) {
			got = append(got, describe(kept(item)))
		}
	})
	calling.Wait()
	if !slices.Equal(got, []string{"data s.m 1", "error -32000 s.m failed"}) || !strings.Contains(log.String(), "Goexit") {
		t.Errorf("%q, logged %s", got, log)
	}
}

// progressing makes an activation s with a method m that runs fn and yields
// once.
func progressing(fn func(ctx context.Context)) plugin.Definition {
	return streaming(func(ctx context.Context, yield func(any, error) bool) { fn(ctx); yield(1, nil) })
}

func TestProgress(t *testing.T) {
	h, _ := newHub(t, "H", progressing(func(ctx context.Context) {
		plugin.Progress(ctx, "half", 50)
		plugin.Progress(ctx, "more than all", 101)
		plugin.Progress(ctx, "who knows", plugin.Unknown)
		done := make(chan struct{})
		go func() { defer close(done); plugin.Progress(ctx, "from elsewhere", 0) }()
		<-done
	}))
	all := items(t.Context(), h.Call("s.m", nil))
	type step struct {
		message    string
		percentage float64
	}
	var got []step
	for _, i := range all {
		if i.Kind == plugin.KindProgress {
			got = append(got, step{i.Message, i.Percentage})
			if !slices.Equal(i.Metadata.Provenance, []string{"s"}) || i.Metadata.Hash != h.Hash() {
				t.Errorf("%+v", i.Metadata)
			}
		} else if i.Message != "" || i.Percentage != 0 {
			t.Errorf("%+v carries what was left of a progress", i)
		}
	}
	if want := []step{{"half", 50}, {"more than all", 100}, {"who knows", -1}, {"from elsewhere", 0}}; !slices.Equal(got, want) || len(all) != 6 {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestNothingFollowsTheEnd, from whatever goroutine of the method, while others
// try. It finds races, too.
func TestNothingFollowsTheEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(yield func(any, error) bool)
		last plugin.Kind
	}{
		{"done", func(yield func(any, error) bool) { yield(1, nil) }, plugin.KindDone},
		{"an error", func(yield func(any, error) bool) { yield(nil, errors.New("broken")) }, plugin.KindError},
		{"a caller that leaves", func(yield func(any, error) bool) { yield("leave", nil) }, plugin.KindData},
	} {
		t.Run(test.name, func(t *testing.T) {
			var noise sync.WaitGroup
			var over func()
			h, _ := newHub(t, "H", streaming(func(ctx context.Context, yield func(any, error) bool) {
				stop := make(chan struct{})
				over = sync.OnceFunc(func() { close(stop) })
				started := make(chan struct{}, 2)
				for range 2 {
					noise.Go(func() {
						for i := 0; ; i++ {
							select {
							case <-stop:
								return
							default:
								plugin.Progress(ctx, "noise", 1)
							}
							if i == 0 {
								started <- struct{}{}
							}
						}
					})
				}
				<-started
				<-started
				test.end(yield)
			}))
			for range 40 {
				var last plugin.Kind
				ended := 0
				for item := range h.Call("s.m", nil).Items(t.Context()) {
					last = item.Kind
					if last == plugin.KindDone || last == plugin.KindError {
						ended++
					} else if ended > 0 {
						t.Error("an item after the end")
					}
					if item.Content == "leave" {
						break
					}
				}
				over()
				noise.Wait()
				if last != test.last || ended > 1 {
					t.Fatalf("the last item is of kind %q, %d ends", last, ended)
				}
			}
		})
	}
}

// TestAMiddlewareThatExpectsParameters is no reason to tell the caller less.
func TestAMiddlewareThatExpectsParameters(t *testing.T) {
	expects := func(_ plugin.Method, next plugin.Handler) plugin.Handler {
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			params.(*nameParams).Name += "!"
			next(ctx, params, yield)
		}
	}
	log := &testkit.Log{}
	h := newHubWith(t, "H", []hub.Option{hub.WithMiddleware(expects), hub.WithLogger(slog.New(slog.NewTextHandler(log, nil)))}, activation("a", "m"))
	equal(t, run(t.Context(), h.Call("a.m", []byte(`{"name":"x"}`))), `data a.m "for x!"`, "done")
	equal(t, run(t.Context(), h.Call("a.m", []byte(`{}`))), "error -32602 Invalid params: missing field: name")
	if log.Count("a method panicked") != 1 {
		t.Errorf("the log says %s", log)
	}
}

// TestMiddlewareSeesRefusedCalls: a call that is refused for its parameters passes
// the middlewares, too, and its name is one of few, whatever children are called.
func TestMiddlewareSeesRefusedCalls(t *testing.T) {
	var got []string
	see := func(_ context.Context, o plugin.Outcome) {
		got = append(got, fmt.Sprintf("%s (%s): %d %v", o.Method, o.Path, o.Items, o.Err))
	}
	called := func(m plugin.Method, next plugin.Handler) plugin.Handler {
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			if err, refused := params.(error); refused {
				got = append(got, "refused: "+err.Error())
			}
			next(ctx, params, yield)
		}
	}
	notes := activation("notes", "read")
	notes.Methods = append(notes.Methods,
		plugin.Unary("write", "", answer, plugin.Requires("notes:write"), plugin.Timeout(time.Minute)),
		plugin.Unary("keep", "", answer, plugin.RequiresFor("notes:keep", func(in nameParams) string { return in.Name })),
		plugin.Unary("quick", "", answer, plugin.Quick()),
		plugin.Stream("all", "", func(context.Context, nameParams) iter.Seq2[string, error] { panic("called") }))
	trucks := fleet(func(_ context.Context, name string) (plugin.Activation, error) { return &truck{name: name}, nil })
	h := newHubWith(t, "H", []hub.Option{hub.WithMiddleware(plugin.Timing(see), called), hub.WithLogger(slog.New(slog.DiscardHandler))}, notes, trucks)
	const missing = "Invalid params: missing field: name"
	nobody := plugin.WithCaller(t.Context(), plugin.Caller{Name: "bob"})
	for _, test := range []struct{ path, params, want, method, err string }{
		{"notes.read", `{"name":"x"}`, `data notes.read "for x"`, "notes.read", ""},
		{"notes.read", `{}`, "error -32602 " + missing, "notes.read", missing},
		{"H.notes.read", `{}`, "error -32602 " + missing, "notes.read", missing},
		{"notes.quick", `{}`, "error -32602 " + missing, "notes.quick", missing},
		{"notes.all", `{}`, "error -32602 " + missing, "notes.all", missing},
		{"notes.write", `{}`, "error -32602 " + missing, "notes.write", missing},
		{"notes.keep", `{}`, "error -32602 " + missing, "notes.keep", missing},
		{"fleet.42.position", `{}`, "error -32602 " + missing, "fleet.{truck}.position", missing},
		{"fleet.42.position", `{"name":"x"}`, `data fleet.42.position "42 for x at fleet.42.position"`, "fleet.{truck}.position", ""},
		{"fleet.42.engine.info", ``, `data fleet.42.engine.info "engine at fleet.42.engine.info"`, "fleet.{truck}.engine.info", ""},
		{"fleet.a.b.c.position", `{}`, "error -32602 " + missing, "fleet.{truck}.{trailer}.{trailer}.position", missing},
		{"fleet.truck", `{}`, "error -32602 " + missing, "fleet.truck", missing},
	} {
		got = nil
		if answer := run(nobody, h.Call(test.path, []byte(test.params))); answer[0] != test.want {
			t.Errorf("%s %s: %q, want %q", test.path, test.params, answer, test.want)
		}
		path, want := strings.TrimPrefix(test.path, "H."), []string{}
		if test.err != "" {
			want = append(want, "refused: "+test.err, test.method+" ("+path+"): 0 "+test.err)
		} else {
			want = append(want, test.method+" ("+path+"): 1 <nil>")
		}
		equal(t, got, want...)
		// Called directly, the transport answers.
		if at, name, _ := strings.Cut(path, "."); test.err != "" && h.Find(at, name) != nil && !h.Find(at, name).Dynamic() {
			got = nil
			call, err := h.Find(at, name).Bind([]byte(test.params))
			if err == nil || err.Error() != missing {
				t.Errorf("%s: %v", path, err)
			}
			call.Observe(nobody)
			equal(t, got, want...)
		}
	}
}
