// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
)

// nameParams are what most methods of these tests take.
type nameParams struct {
	Name string `json:"name"`
}

func answer(_ context.Context, in nameParams) (string, error) { return "for " + in.Name, nil }

// activation makes one with these methods, each unary and answering at once.
func activation(namespace string, methods ...string) plugin.Definition {
	d := plugin.Definition{Namespace: namespace, Version: "1.0.0", Description: "The activation " + namespace}
	for _, name := range methods {
		d.Methods = append(d.Methods, plugin.Unary(name, "", answer))
	}
	return d
}

// streaming makes an activation s with one method, m, that yields what fn does.
func streaming(fn func(ctx context.Context, yield func(any, error) bool)) plugin.Definition {
	return plugin.Definition{Namespace: "s", Methods: []plugin.Method{
		plugin.Stream("m", "", func(ctx context.Context, _ plugin.None) iter.Seq2[any, error] {
			return func(yield func(any, error) bool) { fn(ctx, yield) }
		}),
	}}
}

// newHub makes a hub of that name and what it logs.
func newHub(t testing.TB, namespace string, activations ...plugin.Activation) (*hub.Hub, *testkit.Log) {
	t.Helper()
	log := &testkit.Log{}
	return newHubWith(t, namespace, []hub.Option{hub.WithLogger(slog.New(slog.NewTextHandler(log, nil)))}, activations...), log
}

func newHubWith(t testing.TB, namespace string, options []hub.Option, activations ...plugin.Activation) *hub.Hub {
	t.Helper()
	h, err := hub.New(namespace, options...)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range activations {
		register(t, h, a)
	}
	return h
}

func register(t testing.TB, h *hub.Hub, a plugin.Activation) {
	t.Helper()
	if err := h.Register(a); err != nil {
		t.Fatal(err)
	}
}

func unregister(t testing.TB, h *hub.Hub, namespace string) {
	t.Helper()
	if err := h.Unregister(namespace); err != nil {
		t.Error(err)
	}
}

// items runs a call and keeps its items, which the hub uses again.
func items(ctx context.Context, c hub.Call) []plugin.Item {
	var all []plugin.Item
	for item := range c.Items(ctx) {
		all = append(all, kept(item))
	}
	return all
}

func kept(item *plugin.Item) plugin.Item {
	k := *item
	if inner, ok := k.Content.(*plugin.Item); ok {
		k.Content = kept(inner)
	}
	return k
}

// describe says in one line what an item is, but for its metadata.
func describe(item plugin.Item) string {
	switch item.Kind {
	case plugin.KindData:
		if inner, ok := item.Content.(plugin.Item); ok {
			return "data " + item.ContentType + " [" + describe(inner) + "]"
		}
		text, err := codec.AppendJSON(nil, item.Content)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("data %s %s", item.ContentType, text)
	case plugin.KindError:
		again := ""
		if item.Recoverable {
			again = " (recoverable)"
		}
		return fmt.Sprintf("error %s %s%s", item.Code, item.Message, again)
	case plugin.KindDone:
		return "done"
	}
	return string(item.Kind)
}

func lines(all []plugin.Item) []string {
	lines := []string{}
	for _, item := range all {
		lines = append(lines, describe(item))
	}
	return lines
}

// run runs a call and describes its items.
func run(ctx context.Context, c hub.Call) []string { return lines(items(ctx, c)) }

// during runs fn while a call waits, and returns the items of the call. It is for
// bubbles of synctest.
func during(t *testing.T, c hub.Call, fn func()) (got []string) {
	t.Helper()
	var calling sync.WaitGroup
	calling.Go(func() { got = run(t.Context(), c) })
	synctest.Wait()
	fn()
	calling.Wait()
	return got
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
