// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
)

// TestQuickCallBesideABusyWriter has somebody else write while a quick call is
// answered: the writer must be told of the answer.
func TestQuickCallBesideABusyWriter(t *testing.T) {
	h, err := hub.New("h")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(h, Limits{}, slog.New(slog.DiscardHandler))
	s := httptest.NewServer(server)
	defer s.Close()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	deadline := time.Now().Add(20 * time.Second)
	ws.SetReadDeadline(deadline)
	var c *session
	for c == nil && time.Now().Before(deadline) {
		server.mu.Lock()
		for c = range server.sessions {
		}
		server.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	if c == nil {
		t.Fatal("no session has begun")
	}
	c.writing.Lock()
	err = ws.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"_info"}`))
	told := false
	for !told && time.Now().Before(deadline) {
		c.out.mu.Lock()
		told = len(c.out.filling.ends) == 3 && !c.out.held
		c.out.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	c.writing.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if !told {
		t.Error("the writer was not told of the answer")
	}
	for frame := range 3 {
		if _, _, err := ws.ReadMessage(); err != nil {
			t.Fatalf("frame %d: %v", frame, err)
		}
	}
}
