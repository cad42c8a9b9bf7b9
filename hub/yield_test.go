// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
)

// TestItemsFromManyGoroutines are taken one after the other, and none once the
// stream is broken off.
func TestItemsFromManyGoroutines(t *testing.T) {
	const workers, each = 8, 100
	h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
		var all sync.WaitGroup
		defer all.Wait()
		for worker := range workers {
			all.Go(func() {
				for n := range each {
					if !yield(worker*each+n, nil) {
						return
					}
				}
			})
		}
	}))
	var got []int
	for item := range h.Call("s.m", nil).Items(t.Context()) {
		if item.Kind == plugin.KindData {
			got = append(got, item.Content.(int))
		}
	}
	slices.Sort(got)
	if len(got) != workers*each || len(slices.Compact(got)) != workers*each {
		t.Errorf("%d items of %d", len(slices.Compact(got)), workers*each)
	}
	n := 0
	for range h.Call("s.m", nil).Items(t.Context()) {
		n++
		break
	}
	if n != 1 || log.String() != "" {
		t.Errorf("%d items after the consumer had left after 1, logged %s", n, log)
	}
}

// TestAYieldAfterTheEnd returns false: from what a method or a middleware has
// left behind, a panic would end the process.
func TestAYieldAfterTheEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		// begin starts what is left behind. It yields when the call has ended.
		begin func(ended chan struct{}, more chan<- bool) (plugin.Definition, hub.Option)
		want  []string
	}{
		{"by a method", func(ended chan struct{}, more chan<- bool) (plugin.Definition, hub.Option) {
			return streaming(func(_ context.Context, yield func(any, error) bool) {
				yield(1, nil)
				go func() { <-ended; more <- yield(2, nil) }()
			}), hub.WithMiddleware()
		}, []string{"data s.m 1", "done"}},
		{"by a method that has panicked", func(ended chan struct{}, more chan<- bool) (plugin.Definition, hub.Option) {
			return streaming(func(_ context.Context, yield func(any, error) bool) {
				go func() { <-ended; more <- yield(2, nil) }()
				panic("so")
			}), hub.WithMiddleware()
		}, []string{"error -32000 s.m failed"}},
		{"by a middleware that gives up the method", func(ended chan struct{}, more chan<- bool) (plugin.Definition, hub.Option) {
			slow := plugin.Definition{Namespace: "s", Methods: []plugin.Method{
				plugin.Unary("m", "", func(context.Context, plugin.None) (int, error) { <-ended; return 2, nil }),
			}}
			return slow, hub.WithMiddleware(func(_ plugin.Method, next plugin.Handler) plugin.Handler {
				return func(ctx context.Context, params any, yield func(any, error) bool) {
					go next(ctx, params, func(content any, err error) bool {
						taken := yield(content, err)
						more <- taken
						return taken
					})
					yield(1, nil)
				}
			})
		}, []string{"data s.m 1", "done"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ended, more := make(chan struct{}), make(chan bool)
			d, option := test.begin(ended, more)
			h, err := hub.New("H", option)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Register(d); err != nil {
				t.Fatal(err)
			}
			got := allTold(items(t.Context(), h.Call("s.m", nil)))
			close(ended)
			if <-more {
				t.Error("an item after the end was taken")
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestAMethodThatIgnoresYield is ended: by itself it would go on for ever.
func TestAMethodThatIgnoresYield(t *testing.T) {
	h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
		for {
			yield(1, nil)
		}
	}))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range h.Call("s.m", nil).Items(t.Context()) {
			break
		}
	}()
	<-ended
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
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for item := range h.Call("s.m", nil).Items(t.Context()) {
			got = append(got, told(kept(item)))
		}
	}()
	<-ended
	if !slices.Equal(got, []string{"data s.m 1", "error -32000 s.m failed"}) || !strings.Contains(log.String(), "Goexit") {
		t.Errorf("%q, logged %s", got, log)
	}
}
