// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/client"
)

// object is a JSON object.
type object = map[string]any

// TestOfTime runs what waits for time to pass: for rounds of health, for terms, for
// a client that must be given up.
func TestOfTime(t *testing.T) {
	t.Parallel()
	together(t, map[string]func(*testing.T){
		"health": health, "leases": leases, "a stop with a stalled client": stopWithStalledClient,
	})
}

// together runs subtests at once, as most of their time passes in waiting:
// t.Parallel would run as many as there are processors.
func together(t *testing.T, tests map[string]func(t *testing.T)) {
	t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	for name, test := range tests {
		all.Go(func() { t.Run(name, test) })
	}
}

// caller calls the methods of a registry. Unlike a plain connection it may be
// used by several goroutines.
type caller struct{ *client.Client }

func connect(t testing.TB, url string) caller {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return caller{c}
}

// call returns the content of the answer, or one that is an error.
func (c caller) call(method string, params any) object {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	content, err := client.CallOne[object](ctx, c.Client, method, params)
	if err != nil {
		return object{"type": "error", "message": err.Error()}
	}
	return content
}

// want makes a call that must be answered with such a type.
func (c caller) want(t testing.TB, kind, method string, params any) object {
	t.Helper()
	content := c.call(method, params)
	if content["type"] != kind {
		t.Fatalf("%s %v: %v, want %s", method, params, content, kind)
	}
	return content
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

// watching is what a registry.watch on a connection of its own has told so far.
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
			if err == nil && item.Type == client.Data {
				err = json.Unmarshal(item.Content, &event)
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
	eventually(t, "a watch begins", func() bool { return params["after"] != nil || len(w.all()) > 0 })
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

// told words what a watch has told after its first list, "registered a",
// without what other names than those do.
func (w *watching) told(names ...string) []string {
	var told []string
	for _, event := range w.all() {
		if name := nameOf(event); slices.Contains(names, name) {
			told = append(told, strings.TrimPrefix(event["type"].(string), "backend_")+" "+name)
		}
	}
	return told
}

// nameOf returns the name that an event is about, empty for a list.
func nameOf(event object) string {
	if entry, ok := event["backend"].(object); ok {
		event = entry
	}
	name, _ := event["name"].(string)
	return name
}

// liveHub is a hub that answers, in this process.
type liveHub struct {
	name string
	port int
	stop func() // gracefully
}

func (h liveHub) url() string { return fmt.Sprint("ws://127.0.0.1:", h.port) }

// runHub runs a hub at a port, 0 for a free one, until it is stopped or the test
// ends.
func runHub(t testing.TB, name string, port int) liveHub {
	t.Helper()
	var l net.Listener
	eventually(t, "a port can be listened at", func() bool {
		var err error
		l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil && port == 0 {
			t.Fatal(err)
		}
		return err == nil
	})
	h, err := hub.New(name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := transport.New(h).Serve(ctx, l); err != nil {
			t.Errorf("the hub %s: %v", name, err)
		}
	}()
	stop := func() {
		cancel()
		<-stopped
	}
	t.Cleanup(stop)
	return liveHub{name, portOf(l), stop}
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// silent listens, takes connections, and never says anything. It returns its port.
func silent(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var taken []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			taken = append(taken, conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, conn := range taken {
			conn.Close()
		}
	})
	return portOf(l)
}

// freePort is one that nobody listens at, for a while.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return portOf(l)
}

// entryText is an entry of backends.toml.
func entryText(name string, port int) string {
	return fmt.Sprintf("[[backend]]\nname = %q\nhost = \"127.0.0.1\"\nport = %d\n", name, port)
}

// logged counts the records whose message holds text.
func (p *process) logged(t testing.TB, text string) int {
	t.Helper()
	count := 0
	for _, record := range p.log(t) {
		if message, _ := record["msg"].(string); strings.Contains(message, text) {
			count++
		}
	}
	return count
}

// within waits until what holds, for so long after from, and tells how long it took.
func within(t testing.TB, from time.Time, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	// Time in which nobody let this process run does not count.
	const tick = 10 * time.Millisecond
	var stalled time.Duration
	for last := time.Now(); !holds(); last = time.Now() {
		if time.Since(from) > limit+stalled {
			t.Fatalf("%s (and %s) passed in vain until %s", limit, stalled, what)
		}
		time.Sleep(tick)
		stalled += max(0, time.Since(last)-10*tick)
	}
	return time.Since(from)
}
