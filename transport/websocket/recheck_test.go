// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/websocket"
)

// TestRecheckClosesCallersWithoutValidCredentials: the log names the clients,
// not the proxy that made their connections.
func TestRecheckClosesCallersWithoutValidCredentials(t *testing.T) {
	h, err := testHub()
	if err != nil {
		t.Fatal(err)
	}
	log := new(strings.Builder) // written by Recheck alone
	inner := websocket.NewServer(h, websocket.Limits{}, slog.New(slog.NewTextHandler(log, nil)))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := plugin.Caller{Remote: "198.51.100.9" + r.URL.Path}
		inner.ServeHTTP(w, r.WithContext(plugin.WithCaller(r.Context(), caller)))
	}))
	defer web.Close()
	s := &server{Server: inner, t: t, addr: strings.TrimPrefix(web.URL, "http://")}
	dial := func(path string) *client {
		c := &client{testkit.Dial(t, "ws://"+s.addr+path), t}
		c.Quiet()
		return c
	}
	stays, goes := dial("/stays"), dial("/goes")
	s.Recheck(func(conn net.Conn) error {
		if conn.RemoteAddr().String() == goes.LocalAddr().String() {
			return errors.New("the token was removed")
		}
		return nil
	})
	goes.closedWith(gorilla.ClosePolicyViolation)
	stays.Quiet()
	if got := log.String(); strings.Count(got, "\n") != 1 ||
		!strings.Contains(got, "remote=198.51.100.9/goes") || !strings.Contains(got, "the token was removed") {
		t.Errorf("the log says %s", got)
	}
	if err := <-s.stop(testkit.Patience); err != nil {
		t.Error(err)
	}
}
