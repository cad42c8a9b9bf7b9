// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
)

// diary is what happened, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) check(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("got  %q\nwant %q", d.lines, want)
	}
}

// startable notes when it is started and closed; nil functions do nothing.
type startable struct {
	plugin.Definition
	diary *diary
	start func(ctx context.Context) error
	close func() error
}

func (l *startable) Define() plugin.Definition {
	l.diary.note("define %s", l.Namespace)
	return l.Definition
}

func (l *startable) Start(ctx context.Context) error {
	l.diary.note("start %s", l.Namespace)
	if l.start != nil {
		return l.start(ctx)
	}
	return nil
}

func (l *startable) Close() error {
	l.diary.note("close %s", l.Namespace)
	if l.close != nil {
		return l.close()
	}
	return nil
}

// family is a with the children b, which has c, and d.
func family(d *diary) (a, b, c, e *startable) {
	c = &startable{Definition: activation("c", "m"), diary: d}
	e = &startable{Definition: activation("d", "m"), diary: d}
	b = &startable{Definition: activation("b", "m"), diary: d}
	b.Children = []plugin.Activation{c}
	a = &startable{Definition: activation("a", "m"), diary: d}
	a.Children = []plugin.Activation{b, e}
	return a, b, c, e
}

var defined = []string{"define a", "define b", "define c", "define d"}

// TestStartAndCloseInOrder: parents are started before their children and closed after
// them, and each is asked once what it is.
func TestStartAndCloseInOrder(t *testing.T) {
	var d diary
	a, _, _, _ := family(&d)
	var ctx context.Context
	a.start = func(c context.Context) error { ctx = c; return nil }
	a.close = func() error {
		if ctx.Err() == nil {
			d.note("closed while its context lives")
		}
		return nil
	}
	h, _ := newHub(t, "H", a)
	if ctx.Err() != nil || plugin.PathOf(ctx) != "a" || !plugin.CallerOf(ctx).May("anything") {
		t.Errorf("the context of Start: %v, %q", ctx.Err(), plugin.PathOf(ctx))
	}
	if _, err := plugin.Ask(ctx, plugin.Confirm{}); !errors.Is(err, plugin.ErrCannotAsk) {
		t.Errorf("asked within Start: %v", err)
	}
	if got, err := plugin.CallOne[string](ctx, "a.b.m", nameParams{"me"}); err != nil || got != "for me" {
		t.Errorf("called by what Start has begun: %q, %v", got, err)
	}
	unregister(t, h, "a")
	d.check(t, append(slices.Clone(defined), "start a", "start b", "start c", "start d", "close d", "close c", "close b", "close a")...)
}

// TestStartThatFails leaves the hub as it was, and closes what was started.
func TestStartThatFails(t *testing.T) {
	broken := errors.New("no disk")
	for _, test := range []struct {
		name  string
		setup func(a, b, c, e *startable)
		want  string
		after []string
	}{
		{"the first", func(a, b, c, e *startable) { a.start = func(context.Context) error { return broken } },
			"hub H: register: start a: no disk", []string{"start a"}},
		{"a child", func(a, b, c, e *startable) { c.start = func(context.Context) error { return broken } },
			"hub H: register: start c: no disk", []string{"start a", "start b", "start c", "close b", "close a"}},
		{"a panic", func(a, b, c, e *startable) { e.start = func(context.Context) error { panic("so") } },
			"hub H: register: start d: a failed: so", []string{"start a", "start b", "start c", "start d", "close c", "close b", "close a"}},
		{"and closing, too", func(a, b, c, e *startable) {
			c.start = func(context.Context) error { return broken }
			a.close = func() error { return errors.New("stuck") }
			b.close = func() error { panic("oh") }
		}, "hub H: register: start c: no disk\nclose b: a failed: oh\nclose a: stuck", []string{"start a", "start b", "start c", "close b", "close a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var d diary
			a, b, c, e := family(&d)
			test.setup(a, b, c, e)
			h, _ := newHub(t, "H", activation("other", "m"))
			before := h.Hash()
			err := h.Register(a)
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			d.check(t, append(slices.Clone(defined), test.after...)...)
			if h.Hash() != before || len(h.Schema().Children) != 1 || h.Find("a", "m") != nil {
				t.Error("the hub is not as it was")
			}
			if err := h.Register(activation("a", "m")); err != nil {
				t.Errorf("the namespace is not free again: %v", err)
			}
		})
	}
}

func TestCloseThatFails(t *testing.T) {
	var d diary
	a, b, c, _ := family(&d)
	a.close = func() error { return errors.New("stuck") }
	b.close = func() error { panic("oh") }
	c.close = func() error { return errors.New("torn") }
	exits := &startable{Definition: activation("exits", "m"), diary: &d, close: func() error { runtime.Goexit(); return nil }}
	h, log := newHub(t, "H", a, activation("other", "m"), exits)
	if err := h.Unregister("a"); err == nil || err.Error() != "hub H: unregister: close c: torn\nclose b: a failed: oh\nclose a: stuck" {
		t.Errorf("%v", err)
	}
	if h.Find("a", "m") != nil || !strings.Contains(log.String(), "panic=oh") {
		t.Errorf("it is still there, or logged %s", log)
	}
	d = diary{}
	register(t, h, a)
	if err := h.Close(); err == nil || !strings.Contains(err.Error(), "close c: torn\n") || !strings.Contains(err.Error(), "close exits: it has ended its goroutine") {
		t.Errorf("%v", err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if err := h.Register(activation("late", "m")); err == nil || err.Error() != "hub H: register: the hub is closed" {
		t.Errorf("registered with a closed hub: %v", err)
	}
	equal(t, run(t.Context(), h.Call("other.m", []byte(`"x"`))), "error -32601 Activation not found: other")
}

func TestRegisterDuringAStart(t *testing.T) {
	var d diary
	var h *hub.Hub
	h, _ = newHub(t, "H")
	a := &startable{Definition: activation("a", "m"), diary: &d}
	a.start = func(ctx context.Context) error {
		if err := h.Register(activation("a", "n")); err == nil || !strings.Contains(err.Error(), `namespace "a" is taken`) {
			t.Errorf("its own namespace: %v", err)
		}
		if _, err := plugin.CallOne[string](ctx, "a.m", nameParams{"x"}); err == nil || err.Error() != "Activation not found: a" {
			t.Errorf("called before it has started: %v", err)
		}
		return h.Register(activation("b", "m"))
	}
	register(t, h, a)
	if h.Find("a", "m") == nil || h.Find("b", "m") == nil {
		t.Error("one of them is not there")
	}
}

// TestCloseDuringAStart: what starts is closed again, and may use the hub then.
func TestCloseDuringAStart(t *testing.T) {
	var d diary
	h, _ := newHub(t, "H")
	a := &startable{Definition: activation("a", "m"), diary: &d}
	a.start = func(context.Context) error { return h.Close() }
	a.close = func() error { h.Register(activation("b", "m")); return nil }
	if err := h.Register(a); err == nil || err.Error() != "hub H: register: the hub is closed" {
		t.Errorf("%v", err)
	}
	d.check(t, "define a", "start a", "close a")
}

// waiting makes an activation w whose stream m waits for d, or for its context.
func waiting(d *diary, length time.Duration, heeds bool) *startable {
	l := &startable{diary: d}
	l.Definition = streaming(func(ctx context.Context, yield func(any, error) bool) {
		if !yield("waiting", nil) {
			return
		}
		timer := time.After(length)
		if heeds {
			select {
			case <-timer:
			case <-ctx.Done():
				d.note("cancelled: %v", context.Cause(ctx))
				return
			}
		} else {
			<-timer
		}
		d.note("ended")
		yield("ended", nil)
	})
	return l
}

// TestUnregisterWaitsForCalls states when what happens.
func TestUnregisterWaitsForCalls(t *testing.T) {
	for _, test := range []struct {
		name  string
		call  time.Duration
		heeds bool
		took  time.Duration
		items []string
		diary []string
		err   string
	}{
		{"a call that ends", 2 * time.Second, true, 2 * time.Second, []string{`data s.m "waiting"`, `data s.m "ended"`, "done"}, []string{"ended", "close s"}, ""},
		{"a call that goes on, but heeds its context", time.Hour, true, 3 * time.Second,
			[]string{`data s.m "waiting"`, "error -32000 the activation was removed (recoverable)", "done"}, []string{"cancelled: the activation was removed", "close s"}, ""},
		{"a call that is stuck", time.Hour, false, 4 * time.Second,
			[]string{`data s.m "waiting"`, "error -32000 the activation was removed (recoverable)", "done"}, []string{"close s", "ended"}, "s: 1 calls do not end though they are cancelled"},
	} {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, of the whole hub: %v", test.name, all), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var d diary
					h := newHubWith(t, "H", []hub.Option{hub.WithDrain(3 * time.Second)}, waiting(&d, test.call, test.heeds))
					d.lines = nil
					end := func() error { return h.Unregister("s") }
					if all {
						end = h.Close
					}
					got := during(t, h.Call("s.m", nil), func() {
						begin := time.Now()
						err := end()
						if (err == nil) != (test.err == "") || err != nil && !strings.HasSuffix(err.Error(), test.err) {
							t.Errorf("%v, want %q", err, test.err)
						}
						if took := time.Since(begin); took != test.took {
							t.Errorf("it took %v, want %v", took, test.took)
						}
					})
					equal(t, got, test.items...)
					d.check(t, test.diary...)
				})
			})
		}
	}
}

// TestNoCallBeginsWhileItIsRemoved, and none is left behind by a limit of
// nothing. It finds races, too.
func TestNoCallBeginsWhileItIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHubWith(t, "H", []hub.Option{hub.WithDrain(0)})
		for range 50 {
			register(t, h, streaming(func(ctx context.Context, yield func(any, error) bool) { <-ctx.Done() }))
			var callers sync.WaitGroup
			calls := []hub.Call{h.Call("s.m", nil), h.Call("s.m", nil), h.Call("s.m", nil)}
			for _, call := range calls {
				callers.Go(func() {
					got := run(context.Background(), call)
					if !slices.Equal(got, []string{"error -32601 Activation not found: s"}) && !slices.Equal(got, []string{"error -32000 the activation was removed (recoverable)", "done"}) {
						t.Errorf("%q", got)
					}
				})
			}
			unregister(t, h, "s")
			callers.Wait()
		}
	})
}

// resolve resolves a handle in a method of another activation.
func resolve(ctx context.Context, h *hub.Hub, handle plugin.Handle) (value any, err error) {
	_ = h.Unregister("out")
	failure := h.Register(outer(func(ctx context.Context) error {
		value, err = plugin.Resolve[any](ctx, handle)
		return err
	}))
	for range h.Call("out.m", nil).Items(ctx) {
	}
	return value, errors.Join(err, failure)
}

// TestHandlesAreResolved by the activation that they name, wherever it is.
func TestHandlesAreResolved(t *testing.T) {
	keeper := func(name, version string, fn func(ctx context.Context, h plugin.Handle) (any, error), children ...plugin.Activation) plugin.Definition {
		d := activation(name, "m")
		d.Version, d.Resolve, d.Children = version, fn, children
		return d
	}
	says := func(what string) func(context.Context, plugin.Handle) (any, error) {
		return func(ctx context.Context, h plugin.Handle) (any, error) {
			return what + " " + strings.Join(h.Meta, "/"), nil
		}
	}
	h, log := newHub(t, "H",
		keeper("notes", "1.4.0", says("note")),
		keeper("trash", "1.0.0", func(context.Context, plugin.Handle) (any, error) { panic("so") }),
		keeper("gone", "1.0.0", func(context.Context, plugin.Handle) (any, error) { return nil, plugin.Errorf(7, "gone") }),
		keeper("shelf", "1.0.0", nil, keeper("books", "1.0.0", says("book")), keeper("notes", "1.0.0", says("never"))),
		keeper("tree", "1.0.0", nil, keeper("branch", "1.0.0", nil, keeper("leaf", "1.0.0", says("lower"))), keeper("leaf", "1.0.0", says("upper"))),
	)
	for _, test := range []struct {
		of, version string
		want        string
	}{
		{"notes", "1.0.0", "note a/b"},
		{"notes", "1.9.9", "note a/b"},
		{"books", "1.0.0", "book a/b"},
		{"leaf", "1.0.0", "upper a/b"},
		{"notes", "2.0.0", "no activation resolves this handle"},
		{"shelf", "1.0.0", "no activation resolves this handle"},
		{"nobody", "1.0.0", "no activation resolves this handle"},
		{"trash", "1.0.0", "trash handle failed"},
		{"gone", "1.0.0", "gone"},
	} {
		handle := plugin.Definition{Namespace: test.of, Version: test.version}.Handle("get", "a", "b")
		got, err := resolve(t.Context(), h, handle)
		text := fmt.Sprint(got)
		if err != nil {
			text = err.Error()
		}
		if !strings.HasPrefix(text, test.want) || strings.HasPrefix(test.want, "no activation") != errors.Is(err, plugin.ErrNoHandle) {
			t.Errorf("%s@%s: %v, %v, want %s", test.of, test.version, got, err, test.want)
		}
	}
	if !strings.Contains(log.String(), "panic=so") {
		t.Errorf("logged %s", log)
	}
	unregister(t, h, "notes")
	if got, err := resolve(t.Context(), h, plugin.Definition{Namespace: "notes", Version: "1.0.0"}.Handle("get", "x")); err != nil || got != "never x" {
		t.Errorf("the next of that name: %v, %v", got, err)
	}
}

// TestRemovalWhileAHandleIsResolved cancels that like a call.
func TestRemovalWhileAHandleIsResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := activation("slow", "m")
		d.Resolve = func(ctx context.Context, _ plugin.Handle) (any, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		h, _ := newHub(t, "H", d)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var resolved error
		var resolving sync.WaitGroup
		resolving.Go(func() { _, resolved = resolve(ctx, h, d.Handle("get")) })
		synctest.Wait()
		err := h.Unregister("slow")
		cancel()
		resolving.Wait()
		if err != nil || resolved == nil || resolved.Error() != "the activation was removed" {
			t.Errorf("%v, %v", err, resolved)
		}
	})
}

// TestMiddlewareOfTheHub is around everything that activations bring, inside of
// what makes errors of panics.
func TestMiddlewareOfTheHub(t *testing.T) {
	var d diary
	note := func(name string) plugin.Middleware {
		return func(_ plugin.Method, next plugin.Handler) plugin.Handler {
			return func(ctx context.Context, params any, yield func(any, error) bool) {
				d.note("%s %s", name, plugin.PathOf(ctx))
				if plugin.PathOf(ctx) == "a.panics" && name == "hub" {
					panic("in the middleware")
				}
				next(ctx, params, yield)
			}
		}
	}
	a := activation("a", "m", "panics")
	a.Children = []plugin.Activation{activation("b", "m")}
	a.Middleware = []plugin.Middleware{note("a")}
	h := newHubWith(t, "H", []hub.Option{hub.WithMiddleware(note("hub"), note("second")), hub.WithMiddleware(note("third"))}, a)
	for _, path := range []string{"a.m", "a.b.m", "a.schema", "H.hash"} {
		items(t.Context(), h.Call(path, []byte(`{"name":"x"}`)))
	}
	equal(t, run(t.Context(), h.Call("a.panics", []byte(`"x"`))), "error -32000 a.panics failed")
	d.check(t, "hub a.m", "second a.m", "third a.m", "a a.m", "hub a.b.m", "second a.b.m", "third a.b.m", "hub a.panics")
}
