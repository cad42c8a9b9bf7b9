// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plexus-go/plexus/plugin"
)

// TestAGoroutineThatEnds under a method, as t.Fatal in it does, ends its stream
// as a failure does.
func TestAGoroutineThatEnds(t *testing.T) {
	exits := func(name string, options ...plugin.Option) plugin.Method {
		return plugin.Unary(name, "", func(context.Context, plugin.None) (int, error) { runtime.Goexit(); return 1, nil }, options...)
	}
	d := streaming(func(_ context.Context, yield func(any, error) bool) { yield(1, nil); runtime.Goexit() })
	d.Methods = append(d.Methods, exits("unary"), exits("quick", plugin.Quick()))
	d.Dynamic = &plugin.Dynamic{Gate: "child", Find: func(context.Context, string) (plugin.Activation, error) {
		runtime.Goexit()
		return nil, nil
	}}
	for _, test := range []struct {
		path, params string
		want         []string
	}{
		{"s.m", ``, []string{"data s.m 1", "error -32000 s.m failed"}},
		{"s.unary", ``, []string{"error -32000 s.unary failed"}},
		{"s.quick", ``, []string{"error -32000 s.quick failed"}},
		{"s.any.m", ``, []string{"error -32000 s.any.m failed"}},
		{"H.call", `{"method":"s.unary"}`, []string{"data plexus.call [error -32000 s.unary failed]", "error -32000 H.call failed"}},
	} {
		t.Run(test.path, func(t *testing.T) {
			h, log := newHub(t, "H", d)
			var got []string
			over := make(chan struct{})
			go func() {
				defer close(over)
				for item := range h.Call(test.path, []byte(test.params)).Items(t.Context()) {
					got = append(got, told(kept(item)))
				}
			}()
			<-over
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if !strings.Contains(log.String(), "Goexit") {
				t.Errorf("logged %s", log)
			}
			if err := h.Unregister("s"); err != nil {
				t.Errorf("the call is still counted: %v", err)
			}
		})
	}
}

// TestAConsumerWhoseGoroutineEnds is told nothing more.
func TestAConsumerWhoseGoroutineEnds(t *testing.T) {
	for _, when := range []plugin.Kind{plugin.KindData, plugin.KindDone} {
		h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) { yield(1, nil) }))
		n := 0
		over := make(chan struct{})
		go func() {
			defer close(over)
			for item := range h.Call("s.m", nil).Items(t.Context()) {
				if n++; item.Kind == when {
					runtime.Goexit()
				}
			}
		}()
		<-over
		if n != map[plugin.Kind]int{plugin.KindData: 1, plugin.KindDone: 2}[when] || log.String() != "" {
			t.Errorf("%d items, logged %s", n, log)
		}
	}
}

// TestACloseThatEndsItsGoroutine is an error, which others do not wait for.
func TestACloseThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		bad := &living{Definition: activation("bad", "m"), diary: &d, close: func() error { runtime.Goexit(); return nil }}
		h, _ := newHub(t, "H", bad, activation("good", "m"))
		if err := h.Close(); err == nil || !strings.Contains(err.Error(), "bad: it has ended its goroutine") {
			t.Errorf("%v", err)
		}
	})
}
