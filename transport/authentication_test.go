// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// TestRecheck: a connection with credentials is closed once they allow something
// else.
func TestRecheck(t *testing.T) {
	var mu sync.Mutex
	callers := map[string]plugin.Caller{}
	set := func(name string, scopes ...string) {
		mu.Lock()
		defer mu.Unlock()
		callers[name] = plugin.Caller{Name: name, Means: "token", Scopes: scopes}
	}
	s := serve(t, transport.WithAnonymous("c"), transport.WithAuthentication(func(r *http.Request) (plugin.Caller, error) {
		name := r.Header.Get("Authorization")
		if name == "" {
			return plugin.Caller{}, transport.ErrNoCredentials
		}
		mu.Lock()
		defer mu.Unlock()
		caller, known := callers[name]
		if !known {
			return plugin.Caller{}, errors.New("nobody's credentials")
		}
		return caller, nil
	}))
	all := map[string]*gorilla.Conn{}
	for _, name := range []string{"removed", "narrowed", "same", ""} {
		set(name, "a", "b")
		ws, _, err := gorilla.DefaultDialer.Dial("ws://"+s.addr, http.Header{"Authorization": {name}})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		ws.SetReadDeadline(time.Now().Add(patience))
		if err := call(ws); err != nil {
			t.Fatal(err)
		}
		all[name] = ws
	}
	s.Recheck()
	mu.Lock()
	delete(callers, "removed")
	mu.Unlock()
	set("narrowed", "a")
	s.Recheck()
	for _, name := range []string{"removed", "narrowed"} {
		if _, _, err := all[name].ReadMessage(); !gorilla.IsCloseError(err, gorilla.ClosePolicyViolation) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, name := range []string{"same", ""} {
		if err := call(all[name]); err != nil {
			t.Errorf("%q is closed: %v", name, err)
		}
	}
}

// call makes a call that is answered with one error.
func call(ws *gorilla.Conn) error {
	if err := ws.WriteMessage(gorilla.TextMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"none"}`)); err != nil {
		return err
	}
	_, _, err := ws.ReadMessage()
	return err
}
