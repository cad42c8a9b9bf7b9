// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"testing"

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
	h, err := hub.New(namespace, hub.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range activations {
		if err := h.Register(a); err != nil {
			t.Fatal(err)
		}
	}
	return h, log
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

// told says in one line what an item is, but for its metadata.
func told(item plugin.Item) string {
	switch item.Kind {
	case plugin.KindData:
		if inner, ok := item.Content.(plugin.Item); ok {
			return "data " + item.ContentType + " [" + told(inner) + "]"
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
	return fmt.Sprintf("%s", item.Kind)
}

func allTold(all []plugin.Item) []string {
	lines := []string{}
	for _, item := range all {
		lines = append(lines, told(item))
	}
	return lines
}
