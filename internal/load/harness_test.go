// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// TestMain checks that no goroutine of the package outlives the tests.
func TestMain(m *testing.M) {
	status := m.Run()
	var left string
	for end := time.Now().Add(patience); status == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		buf := make([]byte, 1<<20)
		left = ""
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(stack, "internal/load.(*") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			break
		}
	}
	if left != "" {
		fmt.Fprintf(os.Stderr, "goroutines are left:\n%s", left)
		status = 1
	}
	os.Exit(status)
}

// serveHub runs a hub with a registry until the test ends.
func serveHub(t *testing.T, options ...transport.Option) (url string, reg *registry.Registry) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	reg, err = registry.New(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reg.Close() })
	h, err := hub.New("test-hub")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Register(reg); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- transport.New(h, options...).Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "ws://" + listener.Addr().String(), reg
}

// names returns what the registry lists.
func names(t *testing.T, reg *registry.Registry) []string {
	t.Helper()
	all := false
	event, err := reg.List(t.Context(), registry.ListParams{ActiveOnly: &all})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range event.Backends.Backends {
		names = append(names, b.Name)
	}
	return names
}

// fakeHub answers _info. From the second request of a load on (the first is
// the trial), respond says with what.
type fakeHub struct {
	// respond returns the frames for the request of that id, the n-th; nil
	// closes the connection. It may take its time.
	respond func(n int, id string) []string
	trial   func(id string) []string // nil for a good one

	mu       sync.Mutex
	requests int
}

// Frames of an answer whose subscription is the id, to be filled in.
const (
	fakeAnswer = `{"jsonrpc":"2.0","id":$ID,"result":$ID}`
	fakeItem   = `{"jsonrpc":"2.0","method":"result","params":{"subscription":$ID,"result":{"type":"data","metadata":{"provenance":[],"plexus_hash":"0123456789abcdef","timestamp":1},"content_type":"_info","content":{"backend":"fake"}}}}`
	fakeDone   = `{"jsonrpc":"2.0","method":"result","params":{"subscription":$ID,"result":{"type":"done","metadata":{"provenance":[],"plexus_hash":"0123456789abcdef","timestamp":1}}}}`
)

// filled puts the id into frames.
func filled(id string, frames ...string) []string {
	all := []string{}
	for _, frame := range frames {
		all = append(all, strings.ReplaceAll(frame, "$ID", id))
	}
	return all
}

func good(id string) []string { return filled(id, fakeAnswer, fakeItem, fakeDone) }

func (f *fakeHub) serve(t *testing.T) (url string) {
	t.Helper()
	var serving sync.WaitGroup
	var upgrader websocket.Upgrader
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serving.Add(1)
		defer serving.Done()
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for {
			_, text, err := ws.ReadMessage()
			if err != nil {
				return
			}
			var request struct {
				ID json.Number `json:"id"`
			}
			if err := json.Unmarshal(text, &request); err != nil {
				t.Errorf("%s: %v", text, err)
				return
			}
			frames := f.answer(request.ID.String())
			if frames == nil {
				return
			}
			for _, frame := range frames {
				if ws.WriteMessage(websocket.TextMessage, []byte(frame)) != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(func() { server.Close(); serving.Wait() })
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

func (f *fakeHub) answer(id string) []string {
	if len(id) != idDigits { // of the client that asks for the hub's name
		return good(id)
	}
	f.mu.Lock()
	n := f.requests
	f.requests++
	f.mu.Unlock()
	if n == 0 {
		if f.trial != nil {
			return f.trial(id)
		}
		return good(id)
	}
	return f.respond(n, id)
}

// loaded is how many requests came after the trial.
func (f *fakeHub) loaded() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(f.requests - 1)
}
