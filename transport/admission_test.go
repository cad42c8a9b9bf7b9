// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

func TestRawRequests(t *testing.T) {
	s := serve(t)
	for name, tt := range map[string]struct {
		request string
		status  int
	}{
		"an upgrade":                      {"GET / HTTP/1.1\r\nHost: localhost\r\n" + upgrade + "\r\n", 101},
		"two hosts":                       {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n" + upgrade + "\r\n", 400},
		"two hosts, one of them bad":      {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n" + upgrade + "\r\n", 400},
		"no host":                         {"GET / HTTP/1.1\r\n" + upgrade + "\r\n", 400},
		"an empty host":                   {"GET / HTTP/1.1\r\nHost:\r\n" + upgrade + "\r\n", 421},
		"no host in HTTP/1.0":             {"GET / HTTP/1.0\r\n" + upgrade + "\r\n", 421},
		"another host in the target":      {"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n" + upgrade + "\r\n", 421},
		"two origins":                     {"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: http://localhost\r\n" + upgrade + "\r\n", 400},
		"a strange origin":                {"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n" + upgrade + "\r\n", 403},
		"a plain request of another host": {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
		"a plain request":                 {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 426},
		"no key":                          {"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400},
		"a large header":                  {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 30<<10) + "\r\n\r\n", 431},
	} {
		c := s.raw(t, tt.request)
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || response.StatusCode != tt.status {
			t.Errorf("%s: got %v, %v, want the status %d", name, response, err, tt.status)
			continue
		}
		if tt.status != 101 {
			closed(t, c)
		}
		c.Close()
	}
	s.eventually(t, 0, 0)
	stats := s.Stats()
	want := map[string]int64{"malformed": 1, "host": 4, "origin": 1, "credentials": 0, "rate": 0, "address": 0, "limit": 0, "late": 0}
	// The one without a key passed access control, and the upgrade failed.
	if stats.Accepted != 2 || !maps.Equal(stats.Refused, want) {
		t.Errorf("got %+v", stats)
	}
}

func TestHalfOpenConnectionsAreDropped(t *testing.T) {
	a, timeout := testkit.NewAuthority(t, "authority"), transport.WithLimits(transport.Limits{HeaderTimeout: time.Second})
	plain := serve(t, timeout)
	encrypted, _, _ := serveTLS(t, a, nil, timeout)
	upgraded := testkit.Dial(t, plain.url)
	half := []net.Conn{encrypted.raw(t, ""), encrypted.raw(t, "\x16\x03\x01\x01\x00\x01")}
	for _, sent := range []string{"", "G", "GET / HTTP/1.1\r\nHost: localhost\r\n"} {
		half = append(half, plain.raw(t, sent))
	}
	silent, err := tls.Dial("tcp", encrypted.addr, &tls.Config{RootCAs: a.Pool()})
	must(t, err)
	silent.SetDeadline(time.Now().Add(testkit.Patience))
	for _, c := range append(half, silent) {
		closed(t, c)
		c.Close()
	}
	plain.eventually(t, 1, 0)
	encrypted.eventually(t, 0, 0)
	upgraded.Quiet() // it is still served
}

func TestSlowHeadersTimeOut(t *testing.T) {
	// Each byte would be in time for a bound on silence.
	s := serve(t, transport.WithLimits(transport.Limits{HeaderTimeout: -1, HandshakeTimeout: 300 * time.Millisecond}))
	c := s.raw(t, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
	trickling := make(chan struct{})
	go func() { // ends with the connection
		defer close(trickling)
		for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
			if _, err := c.Write([]byte("x")); err != nil {
				tick.Stop()
				return
			}
		}
	}()
	closed(t, c)
	c.Close()
	<-trickling
	s.eventually(t, 0, 0)
}

func TestSilentConnectionsDoNotBlockOthers(t *testing.T) {
	s := serve(t, transport.WithLimits(transport.Limits{
		MaxPending: 10, HeaderTimeout: time.Hour, HandshakeTimeout: time.Hour,
	}))
	var silent []net.Conn
	for range 30 {
		silent = append(silent, s.raw(t, ""))
	}
	testkit.Dial(t, s.url)
	for _, c := range silent[:20] {
		closed(t, c)
	}
	if stats := s.Stats(); stats.Connections != 1 || stats.Pending > 10 || stats.Refused["late"] < 20 {
		t.Errorf("got %+v", stats)
	}
}

func TestClosedConnectionsNoLongerCount(t *testing.T) {
	s := serve(t, transport.WithLimits(transport.Limits{MaxConnections: 1}))
	for range 3 {
		ws := testkit.Dial(t, s.url)
		if _, response, err := gorilla.DefaultDialer.Dial(s.url, nil); err == nil || response == nil || response.StatusCode != 503 {
			t.Errorf("got %v, want the status 503", err)
		}
		ws.Close()
		s.eventually(t, 0, 0)
	}
	if stats := s.Stats(); stats.Accepted != 3 || stats.Refused["limit"] != 3 {
		t.Errorf("got %+v", stats)
	}
}

// TestEveryRequestPassesAccessControl, also the one that package http answers itself.
func TestEveryRequestPassesAccessControl(t *testing.T) {
	s := serve(t)
	for _, request := range []string{"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"} {
		answer, err := io.ReadAll(s.raw(t, request)) // the connection is closed
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 421 ") {
			t.Errorf("%q, %v, want the status 421", answer, err)
		}
	}
}

func TestWrongOptionsAreErrorsOfServe(t *testing.T) {
	h, err := hub.New("hub")
	must(t, err)
	tests := map[string][]transport.Option{ // by what is in the error
		"trusted proxy":       {transport.WithTrustedProxies(netip.Prefix{}), transport.WithAllowedHosts("hub.example")},
		"WithAuthentication":  {transport.WithAuthentication(nil)},
		"WithTLS":             {transport.WithTLS(nil)},
		"needs allowed hosts": {transport.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"))},
	}
	for _, host := range []string{"", "*", "*.example", "hub.example:4444", "https://hub.example", "hub.example/", "a b", "[::1"} {
		tests[fmt.Sprintf("allowed host %q", host)] = []transport.Option{transport.WithAllowedHosts("fine.example", host)}
	}
	for _, origin := range []string{"", "*", "null", "app.example", "https://", "https://app.example/", "https://*.example", "https://a@b"} {
		tests[fmt.Sprintf("allowed origin %q", origin)] = []transport.Option{
			transport.WithAllowedHosts("a/b"), transport.WithAllowedOrigins("https://fine.example", origin)}
	}
	for want, options := range tests {
		l := testkit.Listen(t)
		err := transport.New(h, options...).Serve(context.Background(), l)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("got %v, want %s", err, want)
		}
		if !nobodyListens(l.Addr().String()) {
			t.Error("the listener is still open")
		}
	}
}

// TestListenAndServeDoesNotClaimToServe before it does.
func TestListenAndServeDoesNotClaimToServe(t *testing.T) {
	h, err := hub.New("hub")
	must(t, err)
	log := &testkit.Log{}
	err = transport.ListenAndServe(t.Context(), "0.0.0.0:0", h, transport.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	if err == nil || log.Count("serving") > 0 {
		t.Errorf("%v; the log says %s", err, log)
	}
}

// TestOtherMachinesAreServedOnlyIfThatIsMeant: a hub of one's own is as careful as
// the registry.
func TestOtherMachinesAreServedOnlyIfThatIsMeant(t *testing.T) {
	known := transport.WithAuthentication(func(*http.Request) (plugin.Caller, error) { return plugin.Caller{}, transport.ErrNoCredentials })
	encrypted := transport.WithTLS(&tls.Config{})
	proxies := transport.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"))
	hosts := transport.WithAllowedHosts("hub.example")
	for _, test := range []struct {
		name, address string
		options       []transport.Option
		missing       string // empty: it is served
	}{
		{"on loopback", "127.0.0.1:0", nil, ""},
		{"on loopback by IPv6", "[::1]:0", nil, ""},
		{"on all interfaces", ":0", nil, "no TLS and no authentication"},
		{"on all interfaces by IPv4", "0.0.0.0:0", nil, "no TLS and no authentication"},
		{"with TLS", ":0", []transport.Option{encrypted}, "no authentication"},
		{"with authentication", ":0", []transport.Option{known}, "no TLS"},
		{"with both", ":0", []transport.Option{encrypted, known}, ""},
		{"with both, and some for all", ":0", []transport.Option{encrypted, known, transport.WithAnonymous("notes:read")}, ""},
		{"with both, and everything for all", ":0", []transport.Option{encrypted, known, transport.WithAnonymous("*")}, "no authentication"},
		{"with TLS, and little for all", ":0", []transport.Option{encrypted, transport.WithAnonymous()}, "no authentication"},
		{"behind a proxy", "127.0.0.1:0", []transport.Option{proxies, hosts}, "no authentication"},
		{"behind a proxy, with authentication", "127.0.0.1:0", []transport.Option{proxies, hosts, known}, ""},
		{"said aloud", ":0", []transport.Option{transport.WithInsecure()}, ""},
		{"said aloud, behind a proxy", "127.0.0.1:0", []transport.Option{transport.WithInsecure(), proxies, hosts}, ""},
	} {
		h, err := hub.New("hub")
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it serves, and stops at once
		options := append([]transport.Option{transport.WithLogger(slog.New(slog.DiscardHandler))}, test.options...)
		l, err := net.Listen("tcp", test.address)
		must(t, err)
		err = transport.New(h, options...).Serve(ctx, l)
		if (err == nil) != (test.missing == "") ||
			err != nil && !strings.Contains(err.Error(), test.missing+": give WithTLS and WithAuthentication, or WithInsecure") {
			t.Errorf("%s: %v", test.name, err)
		}
		if !nobodyListens(l.Addr().String()) {
			t.Errorf("%s: the listener is still open", test.name)
		}
	}
}
