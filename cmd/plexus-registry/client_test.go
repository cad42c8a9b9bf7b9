// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// object is a JSON object.
type object = map[string]any

// caller calls the methods of a registry. Several goroutines may use it.
type caller struct{ *client.Client }

func connect(t testing.TB, url string) caller {
	t.Helper()
	c, err := client.Dial(testkit.Context(t), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return caller{c}
}

// call returns the content of the answer, or one that is an error.
func (c caller) call(method string, params any) object {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	content, err := client.CallOne[object](ctx, c.Client, method, params)
	if err != nil {
		return object{"type": "error", "message": err.Error()}
	}
	return content
}

// want makes a call whose answer must be of that type.
func (c caller) want(t testing.TB, kind, method string, params any) object {
	t.Helper()
	content := c.call(method, params)
	if content["type"] != kind {
		t.Fatalf("%s %v: %v, want %s", method, params, content, kind)
	}
	return content
}

// register registers a backend and returns its entry.
func (c caller) register(t testing.TB, params object) object {
	t.Helper()
	return c.want(t, "backend_registered", "registry.register", params)["backend"].(object)
}

// get returns an entry, empty where there is none.
func (c caller) get(t testing.TB, name string) object {
	t.Helper()
	entry, _ := c.want(t, "backend", "registry.get", object{"name": name})["backend"].(object)
	return entry
}

// list returns the entries that fit, the newest first.
func (c caller) list(t testing.TB, params object) []object {
	t.Helper()
	return entriesOf(c.want(t, "backends", "registry.list", params))
}

// all returns all entries by name, the inactive ones too.
func (c caller) all(t testing.TB) map[string]object {
	t.Helper()
	entries := map[string]object{}
	for _, entry := range c.list(t, object{"active_only": false}) {
		entries[entry["name"].(string)] = entry
	}
	return entries
}

func entriesOf(content object) []object {
	var entries []object
	for _, entry := range content["backends"].([]any) {
		entries = append(entries, entry.(object))
	}
	return entries
}

// watching holds the events of a registry.watch on a connection of its own.
type watching struct {
	mu     sync.Mutex
	events []object
	ended  bool
}

func watch(t testing.TB, url string, params object) *watching {
	t.Helper()
	w := &watching{}
	c := connect(t, url)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for item, err := range c.Call(ctx, "registry.watch", params) {
			var event object
			if err == nil && item.Kind == plugin.KindData {
				err = item.Decode(&event)
			}
			w.mu.Lock()
			switch {
			case err != nil && ctx.Err() == nil:
				w.events = append(w.events, object{"type": "failure", "message": err.Error()})
			case event != nil:
				w.events = append(w.events, event)
			}
			w.mu.Unlock()
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	testkit.Eventually(t, "a watch begins", func() bool { return params["after"] != nil || len(w.all()) > 0 })
	return w
}

func (w *watching) all() []object {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

func (w *watching) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// about returns the events about these names after the first list, each as
// "registered a".
func (w *watching) about(names ...string) []string {
	events := []string{}
	for _, event := range w.all() {
		if name := nameOf(event); slices.Contains(names, name) {
			events = append(events, strings.TrimPrefix(event["type"].(string), "backend_")+" "+name)
		}
	}
	return events
}

// wants waits until there are as many events about the names as in want, which
// must be these.
func (w *watching) wants(t testing.TB, want []string, names ...string) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprint("the watch has ", want), func() bool { return len(w.about(names...)) >= len(want) })
	if got := w.about(names...); !slices.Equal(got, want) {
		t.Errorf("the watch has %v, want %v", got, want)
	}
}

// nameOf returns the name that an event is about, empty for a list.
func nameOf(event object) string {
	if entry, ok := event["backend"].(object); ok {
		event = entry
	}
	name, _ := event["name"].(string)
	return name
}

// list returns every entry of a registry, by its name.
func list(t testing.TB, url string) map[string]object {
	t.Helper()
	c := connect(t, url)
	defer c.Close()
	return c.all(t)
}

// hubName asks for the name of the hub, as every client does first.
func hubName(t testing.TB, url string) string {
	t.Helper()
	name, _ := testkit.Dial(t, url).Items("_info", "null")[0].Object()["backend"].(string)
	return name
}

// callFrame is a call through the call method of the hub.
func callFrame(id any, method string, params any) object {
	return object{"jsonrpc": "2.0", "id": id, "method": "registry-hub.call", "params": object{"method": method, "params": params}}
}

// registerFrame is the call that registers a backend called name; its id is the
// name too.
func registerFrame(name string) object {
	return callFrame(name, "registry.register", object{"name": name, "host": "127.0.0.1", "port": 4444})
}

// numbered are count names.
func numbered(prefix string, count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%04d", prefix, i)
	}
	return names
}

// missing lists the names that entries lacks.
func missing(entries map[string]object, names []string) (missing []string) {
	for _, name := range names {
		if entries[name] == nil {
			missing = append(missing, name)
		}
	}
	return missing
}
