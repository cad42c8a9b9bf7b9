// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// Peer is a hub's end of a connection, in the test of a client: the test says
// what the hub answers. What is sent after the client has left is lost.
type Peer struct {
	*websocket.Conn
	Header http.Header // of the upgrade
	t      testing.TB
}

// Pretend serves ws://127.0.0.1:port until the test ends. The script runs for
// every connection, which is closed when it returns.
func Pretend(t testing.TB, script func(*Peer)) (url string) {
	t.Helper()
	l := Listen(t)
	PretendOn(t, l, script)
	return "ws://" + l.Addr().String()
}

// PretendOn is Pretend on a listener of the test's own.
func PretendOn(t testing.TB, l net.Listener, script func(*Peer)) {
	t.Helper()
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	var scripts sync.WaitGroup
	var mu sync.Mutex
	open := map[*websocket.Conn]bool{}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scripts.Add(1)
		defer scripts.Done()
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		mu.Lock()
		open[ws] = true
		mu.Unlock()
		script(&Peer{Conn: ws, Header: r.Header, t: t})
	})}
	ended := make(chan struct{})
	go func() {
		web.Serve(l)
		close(ended)
	}()
	t.Cleanup(func() {
		web.Close()
		<-ended
		mu.Lock()
		for ws := range open {
			ws.Close()
		}
		mu.Unlock()
		scripts.Wait()
	})
}

// Asked is a request of a client.
type Asked struct {
	ID     int64
	Method string
	Params struct { // where they are an object
		Method       string
		RequestID    string         `json:"request_id"`
		ResponseData map[string]any `json:"response_data"`
	}
	Text string
}

// Next reads the next request; nil when the client has left.
func (p *Peer) Next() *Asked {
	_, text, err := p.ReadMessage()
	if err != nil {
		return nil
	}
	asked := &Asked{Text: string(text)}
	var envelope struct {
		ID     int64
		Method string
		Params json.RawMessage
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		p.t.Errorf("the client sent %s: %v", text, err)
		return asked
	}
	asked.ID, asked.Method = envelope.ID, envelope.Method
	_ = json.Unmarshal(envelope.Params, &asked.Params)
	return asked
}

// Called reads a request and answers it with a subscription, JSON text.
func (p *Peer) Called(subscription string) *Asked {
	r := p.Next()
	if r != nil {
		p.Send(`{"jsonrpc":"2.0","id":%d,"result":%s}`, r.ID, subscription)
	}
	return r
}

// Gone waits until the client has left.
func (p *Peer) Gone() {
	for p.Next() != nil {
	}
}

// Send sends a frame.
func (p *Peer) Send(format string, args ...any) {
	_ = p.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...))
}

// Item sends an item of a subscription: its fields without braces, [DoneItem] or
// those of [DataItem].
func (p *Peer) Item(subscription, fields string) {
	p.Send(`{"jsonrpc":"2.0","method":"m","params":{"subscription":%s,"result":{%s}}}`, subscription, fields)
}

// Info answers the _info with which a client begins.
func (p *Peer) Info(name string) {
	r := p.Next()
	if r == nil {
		return
	}
	if r.Method != "_info" || !strings.Contains(r.Text, `"params":null`) {
		p.t.Errorf("the client began with %s", r.Text)
	}
	p.Send(`{"jsonrpc":"2.0","id":%d,"result":99}`, r.ID)
	p.Item("99", DataItem(fmt.Sprintf(`{"backend":%q}`, name)))
	p.Item("99", DoneItem)
}

// ItemMetadata is the metadata that items of a [Peer] have, as a field.
const ItemMetadata = `"metadata":{"provenance":["x"],"plexus_hash":"00e9e57b321aa1bc","timestamp":1}`

// DoneItem are the fields of the last item of a stream.
const DoneItem = `"type":"done",` + ItemMetadata

// DataItem are the fields of a data item with that content, JSON text.
func DataItem(content string) string {
	return `"type":"data",` + ItemMetadata + `,"content_type":"x.y","content":` + content
}
