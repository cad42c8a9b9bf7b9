// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// fakeHub is a hub that does what a script says, so that it can do what ours
// does not.
type fakeHub struct {
	name, url string

	mu    sync.Mutex
	seen  []string      // the methods that were called, and those of hub.call
	heard chan struct{} // closed, and replaced, when there is another one
}

// fakeCall is what the hub was asked.
type fakeCall struct {
	*testkit.Peer
	testkit.Request
	inner string          // the method, of hub.call too
	with  json.RawMessage // its parameters
}

// newFake serves a fake hub until the test ends. serve is called for every
// request but _info; for _info too where the hub has no name.
func newFake(t testing.TB, name string, serve func(c *fakeCall)) *fakeHub {
	f := &fakeHub{name: name, heard: make(chan struct{})}
	f.url = testkit.Pretend(t, func(p *testkit.Peer) {
		for {
			_, text, err := p.ReadMessage()
			c := &fakeCall{Peer: p}
			if err != nil || json.Unmarshal(text, &c.Request) != nil {
				return
			}
			c.inner, c.with = c.Call()
			f.note(c.inner)
			if c.Method == "_info" && name != "" {
				c.stream(`99`, fakeData(fmt.Sprintf(`{"backend":%q}`, name)), fakeDone)
				continue
			}
			serve(c)
		}
	})
	return f
}

func (f *fakeHub) note(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, method)
	close(f.heard)
	f.heard = make(chan struct{})
}

// calls are the methods that were called so far, and what is closed at the next.
func (f *fakeHub) calls() ([]string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen), f.heard
}

// await waits until the hub was called so.
func (f *fakeHub) await(t *testing.T, method string) {
	t.Helper()
	for deadline := time.After(timeLimit); ; {
		calls, more := f.calls()
		if slices.Contains(calls, method) {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%s was not called; only %q", method, calls)
		}
	}
}

// The items of fake hubs.
const fakeDone = "{" + testkit.DoneItem + "}"

func fakeData(content string) string { return "{" + testkit.DataItem(content) + "}" }

func fakeError(message, code string, recoverable bool) string {
	return fmt.Sprintf(`{"type":"error",%s,"message":%q,"code":%q,"recoverable":%v}`, testkit.ItemMetadata, message, code, recoverable)
}

// stream answers with a subscription, and with items.
func (c *fakeCall) stream(subscription string, items ...string) {
	c.Send(`{"jsonrpc":"2.0","id":%s,"result":%s}`, c.ID, subscription)
	for _, item := range items {
		c.item(subscription, item)
	}
}

func (c *fakeCall) item(subscription, item string) {
	c.Send(`{"jsonrpc":"2.0","method":"m","params":{"subscription":%s,"result":%s}}`, subscription, item)
}

// unknown answers that there is no such method.
func (c *fakeCall) unknown() {
	c.stream("404", fakeError("Activation not found: "+c.inner, "-32601", false))
}
