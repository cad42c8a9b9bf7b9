// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"errors"
	"io"
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

func TestAPlainRequestIsAnsweredAtOnce(t *testing.T) {
	s := serve(t, websocket.Limits{})
	client := &http.Client{Timeout: testkit.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, method := range []string{"GET", "POST"} {
		request, err := http.NewRequest(method, "http://"+s.addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusUpgradeRequired || response.Header.Get("Upgrade") != "websocket" ||
			!strings.Contains(string(body), "hub") {
			t.Errorf("%s: got %s, %q", method, response.Status, body)
		}
	}
}

func TestAnyPathUpgrades(t *testing.T) {
	s := serve(t, websocket.Limits{})
	for _, path := range []string{"", "/", "/ws", "/a/b?c=d", "/..", "/%2e"} {
		t.Logf("%q", path)
		testkit.Dial(t, "ws://"+s.addr+path).Quiet()
	}
}

func TestWithoutAccessControlPagesAreRejected(t *testing.T) {
	alone := serve(t, websocket.Limits{})
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		alone.ServeHTTP(w, r.WithContext(plugin.WithCaller(r.Context(), plugin.Caller{Remote: r.RemoteAddr})))
	}))
	defer behind.Close()
	for _, origin := range []string{"http://localhost:5173", "http://" + alone.addr, "null", ""} {
		header := http.Header{"Origin": {origin}}
		_, response, err := gorilla.DefaultDialer.Dial("ws://"+alone.addr, header)
		if err == nil || response == nil || response.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q: got %v, want the status 403", origin, err)
		}
		ws, _, err := gorilla.DefaultDialer.Dial("ws"+strings.TrimPrefix(behind.URL, "http"), header)
		if err != nil {
			t.Errorf("origin %q, with a caller: %v", origin, err)
			continue
		}
		ws.Close()
	}
}

// TestOnlyOurSubprotocolIsAnswered, and no compression.
func TestOnlyOurSubprotocolIsAnswered(t *testing.T) {
	s := serve(t, websocket.Limits{})
	for _, test := range []struct {
		offered []string
		want    string
	}{
		{nil, ""},
		{[]string{"plexus"}, "plexus"},
		{[]string{"plexus.token.secret", "plexus"}, "plexus"},
		{[]string{"plexus", "plexus.token.secret"}, "plexus"},
		{[]string{"plexus.token.secret"}, ""},
		{[]string{"other"}, ""},
	} {
		c, response, err := testkit.DialWith(t, &gorilla.Dialer{Subprotocols: test.offered, EnableCompression: true}, "ws://"+s.addr, nil)
		if err != nil {
			t.Fatalf("%v: %v", test.offered, err)
		}
		if got := response.Header["Sec-Websocket-Protocol"]; strings.Join(got, ",") != test.want {
			t.Errorf("%v is answered with %v, want %q", test.offered, got, test.want)
		}
		if got := response.Header.Get("Sec-Websocket-Extensions"); got != "" {
			t.Errorf("extensions %q, want none", got)
		}
		c.Quiet()
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	s := serve(t, websocket.Limits{})
	a, b := s.dial(), s.dial()
	a.Quiet()
	b.Quiet()
	if n := s.Connections(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	a.Close()
	testkit.Eventually(t, "one connection", func() bool { return s.Connections() == 1 })
}

func TestACloseIsAnswered(t *testing.T) {
	s := serve(t, websocket.Limits{})
	for sent, want := range map[int]int{
		gorilla.CloseNormalClosure:    gorilla.CloseNormalClosure,
		gorilla.CloseGoingAway:        gorilla.CloseGoingAway,
		gorilla.CloseNoStatusReceived: gorilla.CloseNoStatusReceived,
	} {
		c := s.dial()
		sub := c.call(1, "probe.block", "{}")
		c.Item(sub, "data")
		if err := c.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(sent, "")); err != nil {
			t.Fatal(err)
		}
		c.closedWith(want)
	}
	testkit.Eventually(t, "the streams to end", func() bool { return s.probe.running.Load() == 0 && s.Connections() == 0 })
}

func TestWhatBreaksTheProtocolIsClosedWithAReason(t *testing.T) {
	s := serve(t, websocket.Limits{})
	for name, frame := range map[string][]byte{
		"not masked":            {0x81, 0x02, '{', '}'},
		"compressed":            {0xc1, 0x80, 0, 0, 0, 0},
		"unknown kind":          {0x83, 0x80, 0, 0, 0, 0},
		"continues nothing":     {0x80, 0x80, 0, 0, 0, 0},
		"a large control frame": {0x89, 0xfe, 0, 126, 0, 0, 0, 0},
	} {
		c := s.dial()
		c.write(append(frame, strings.Repeat("more", 1000)...))
		if got := c.Closed(); got != gorilla.CloseProtocolError {
			t.Errorf("%s: closed with %d, want %d", name, got, gorilla.CloseProtocolError)
		}
	}
	testkit.Eventually(t, "the connections to end", func() bool { return s.Connections() == 0 })
}

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
	s.stop(testkit.Patience).ends(t)
}
