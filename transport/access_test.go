// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

// testAccess is access control without a network: requests come from made-up
// addresses.
type testAccess struct {
	*accessControl
	t      *testing.T
	log    *strings.Builder
	caller *plugin.Caller // of the last request that passed
}

func newTestAccess(t *testing.T, local bool, options ...Option) *testAccess {
	t.Helper()
	e := &testAccess{accessControl: newAccess(t, local, options...), t: t, log: new(strings.Builder)}
	e.init(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		caller := plugin.CallerOf(r.Context())
		e.caller = &caller
	}), slog.New(slog.NewTextHandler(e.log, nil)))
	return e
}

// ask makes a request for an upgrade from an address.
func (e *testAccess) ask(from string, header http.Header) *httptest.ResponseRecorder {
	e.t.Helper()
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.RemoteAddr = from
	c, _ := newPeer("127.0.0.1:1")
	pending := e.connections.add(c)
	e.t.Cleanup(func() { pending.Close() })
	r = r.WithContext(context.WithValue(r.Context(), connKey{}, pending))
	w := httptest.NewRecorder()
	e.caller = nil
	e.ServeHTTP(w, r)
	if w.Header().Get("Connection") != "close" {
		e.t.Error("the connection would be kept for another request")
	}
	return w
}

// known is an authentication that knows one token.
func known(r *http.Request) (plugin.Caller, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return plugin.Caller{}, ErrNoCredentials
	case "Bearer good":
		return plugin.Caller{Name: "ann", Means: "token", Scopes: []string{"registry:read"}}, nil
	default:
		return plugin.Caller{}, errors.New("the digest of the token is not listed")
	}
}

func TestAccessControl(t *testing.T) {
	const (
		v4, v6   = "127.0.0.1:5000", "[::1]:5000"
		other    = "203.0.113.5:5000"
		proxy    = "10.0.0.1:5000"
		through  = "198.51.100.9"
		page     = "http://localhost:5173"
		listed   = "https://app.example"
		stranger = "https://evil.example"
	)
	hosts, origins := WithAllowedHosts("hub.example"), WithAllowedOrigins(listed)
	proxies := WithTrustedProxies(prefixes("10.0.0.0/8", "127.0.0.0/8")...)
	auth := WithAuthentication(known)
	on := map[string]*testAccess{
		"loopback":  newTestAccess(t, true, origins),
		"closed":    newTestAccess(t, true, origins, auth),
		"half open": newTestAccess(t, true, origins, auth, WithAnonymous("registry:read")),
		"unnamed": newTestAccess(t, true, WithAuthentication(func(*http.Request) (plugin.Caller, error) {
			return plugin.Caller{}, nil
		})),
		"limited":     newTestAccess(t, true, WithAnonymous()),
		"proxied":     newTestAccess(t, true, origins, hosts, proxies),
		"any host":    newTestAccess(t, false, origins),
		"some hosts":  newTestAccess(t, false, origins, hosts),
		"far proxied": newTestAccess(t, false, origins, hosts, proxies, auth),
		"all open":    newTestAccess(t, true, auth, WithAnonymous("*")),
		"insecure":    newTestAccess(t, true, WithInsecure()),
	}
	ann := plugin.Caller{Name: "ann", Means: "token", Scopes: []string{"registry:read"}}
	anybody := plugin.Caller{Scopes: []string{"*"}}
	tests := []struct {
		on, from, host, origin string
		header                 http.Header
		status                 int
		caller                 plugin.Caller
		remote                 string // if it is not from
	}{
		// Native clients.
		{on: "loopback", from: v4, host: "127.0.0.1:4444", caller: anybody},
		{on: "loopback", from: v6, host: "[::1]:4444", caller: anybody},
		{on: "loopback", from: v4, host: "localhost", caller: anybody},
		{on: "loopback", from: "@", host: "localhost", caller: anybody},
		{on: "loopback", from: "", host: "localhost", caller: anybody, remote: "unknown"},
		{on: "loopback", from: v4, host: "evil.example", status: 421},
		{on: "limited", from: v4, host: "localhost", caller: plugin.Caller{}},
		{on: "any host", from: other, host: "evil.example", caller: anybody},
		{on: "some hosts", from: other, host: "hub.example:4444", caller: anybody},
		{on: "some hosts", from: other, host: "evil.example", status: 421},
		{on: "some hosts", from: v4, host: "localhost", status: 421},
		// Pages.
		{on: "loopback", from: v4, host: "localhost:4444", origin: page, caller: anybody},
		{on: "loopback", from: v6, host: "localhost:4444", origin: listed, caller: anybody},
		{on: "loopback", from: v4, host: "localhost:4444", origin: stranger, status: 403},
		{on: "loopback", from: v4, host: "localhost:4444", origin: "null", status: 403},
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"Origin": {""}}, status: 403},
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"Origin": {page, page}}, status: 400},
		{on: "loopback", from: v4, host: "evil.example", header: http.Header{"Origin": {page, page}}, status: 421},
		// Pages by a name that leads here: to a loopback listener, and another.
		{on: "loopback", from: v4, host: "evil.example", origin: "http://evil.example", status: 421},
		{on: "any host", from: v4, host: "evil.example", origin: "http://evil.example", status: 403},
		{on: "any host", from: other, host: "evil.example", origin: "http://evil.example", status: 403},
		{on: "any host", from: v4, host: "localhost", origin: page, status: 403},
		{on: "any host", from: other, host: "hub.example", origin: listed, caller: anybody},
		{on: "some hosts", from: other, host: "hub.example", origin: "https://hub.example", status: 403},
		// Credentials.
		{on: "closed", from: v4, host: "localhost", status: 401},
		{on: "closed", from: v4, host: "localhost", header: http.Header{"Authorization": {"Bearer bad"}}, status: 401},
		{on: "closed", from: v4, host: "localhost", header: http.Header{"Authorization": {"Bearer good"}}, caller: ann},
		{on: "closed", from: v4, host: "localhost", origin: stranger, header: http.Header{"Authorization": {"Bearer good"}}, status: 403},
		{on: "closed", from: v4, host: "evil.example", header: http.Header{"Authorization": {"Bearer good"}}, status: 421},
		{on: "unnamed", from: v4, host: "localhost", header: http.Header{"Authorization": {"Bearer good"}}, status: 401},
		{on: "half open", from: v4, host: "localhost", caller: plugin.Caller{Scopes: []string{"registry:read"}}},
		{on: "half open", from: v4, host: "localhost", header: http.Header{"Authorization": {"Bearer bad"}}, status: 401},
		{on: "half open", from: v4, host: "localhost", header: http.Header{"Authorization": {"Bearer good"}}, caller: ann},
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"Authorization": {"Bearer bad"}}, caller: anybody},
		// Proxies.
		{on: "proxied", from: v4, host: "localhost", caller: anybody},
		{on: "proxied", from: v4, host: "localhost", origin: page, caller: anybody},
		{on: "proxied", from: v4, host: "localhost", header: http.Header{"X-Forwarded-For": {through}}, status: 421},
		{on: "proxied", from: v4, host: "localhost", header: http.Header{"X-Forwarded-For": {"127.0.0.1"}}, status: 421},
		{on: "proxied", from: v4, host: "localhost", header: http.Header{"X-Forwarded-For": {""}}, status: 421},
		{on: "proxied", from: v4, host: "localhost",
			header: http.Header{"X-Forwarded-For": {through}, "X-Forwarded-Host": {"hub.example"}}, status: 421},
		{on: "proxied", from: v4, host: "hub.example", header: http.Header{"X-Forwarded-For": {through}},
			caller: anybody, remote: through},
		{on: "proxied", from: v4, host: "hub.example", origin: page, header: http.Header{"X-Forwarded-For": {through}}, status: 403},
		{on: "proxied", from: v4, host: "hub.example", origin: listed, header: http.Header{"X-Forwarded-For": {through}},
			caller: anybody, remote: through},
		{on: "far proxied", from: proxy, host: "hub.example", origin: listed,
			header: http.Header{"X-Forwarded-For": {"6.6.6.6, " + through + ", 10.0.0.2"}, "Authorization": {"Bearer good"}},
			caller: ann, remote: through},
		{on: "far proxied", from: other, host: "hub.example",
			header: http.Header{"X-Forwarded-For": {through}, "Authorization": {"Bearer good"}}, caller: ann},
		{on: "far proxied", from: proxy, host: "hub.example", header: http.Header{"X-Forwarded-For": {through}}, status: 401},
		{on: "proxied", from: v4, host: "localhost", header: http.Header{"Via": {"1.1 front"}}, status: 421},
		// Proxies that are not trusted: their clients are no programs of this machine.
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"X-Forwarded-For": {through}}, status: 403},
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"X-Forwarded-For": {"127.0.0.1"}}, status: 403},
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"X-Forwarded-For": {""}}, status: 403},
		{on: "loopback", from: v6, host: "localhost", header: http.Header{"Forwarded": {"for=127.0.0.1"}}, status: 403},
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"Via": {"1.1 front"}}, status: 403},
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"X-Forwarded-Proto": {"https"}}, status: 403},
		{on: "loopback", from: v4, host: "localhost", header: http.Header{"X-Real-Ip": {through}}, status: 403},
		{on: "loopback", from: "@", host: "localhost", header: http.Header{"Via": {"1.1 front"}}, status: 403},
		{on: "limited", from: v4, host: "localhost", header: http.Header{"Via": {"1.1 front"}}, status: 403},
		{on: "proxied", from: "192.0.2.1:1", host: "hub.example", header: http.Header{"X-Forwarded-For": {through}}, status: 403},
		{on: "closed", from: v4, host: "localhost", header: http.Header{"Via": {"1.1 front"}}, status: 401},
		{on: "closed", from: v4, host: "localhost", header: http.Header{"Via": {"1.1 front"}, "Authorization": {"Bearer good"}}, caller: ann},
		{on: "closed", from: v4, host: "localhost", origin: page,
			header: http.Header{"Via": {"1.1 front"}, "Authorization": {"Bearer good"}}, status: 403},
		{on: "all open", from: v4, host: "localhost", caller: anybody},
		{on: "all open", from: v4, host: "localhost", header: http.Header{"Via": {"1.1 front"}}, status: 401},
		{on: "half open", from: v4, host: "localhost", header: http.Header{"Via": {"1.1 front"}},
			caller: plugin.Caller{Scopes: []string{"registry:read"}}},
		{on: "insecure", from: v4, host: "localhost", header: http.Header{"Via": {"1.1 front"}}, caller: anybody},
		{on: "insecure", from: v4, host: "localhost", origin: page, header: http.Header{"Via": {"1.1 front"}}, status: 403},
	}
	for _, tt := range tests {
		header := tt.header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("Host", tt.host)
		if tt.origin != "" {
			header.Set("Origin", tt.origin)
		}
		e := on[tt.on]
		w := e.ask(tt.from, header)
		if tt.status != 0 {
			if w.Code != tt.status || e.caller != nil {
				t.Errorf("%+v: got %d, caller %v", tt, w.Code, e.caller)
			}
			continue
		}
		tt.caller.Remote = tt.from
		if tt.remote != "" {
			tt.caller.Remote = tt.remote
		}
		if e.caller == nil || !reflect.DeepEqual(*e.caller, tt.caller) {
			t.Errorf("%+v: got %d, caller %v", tt, w.Code, e.caller)
		}
	}
}

func TestRefusalsOfCredentialsHaveNoDetails(t *testing.T) {
	e := newTestAccess(t, true, WithAuthentication(known))
	for sent, want := range map[string]string{
		"":           `Bearer realm="plexus"`,
		"Bearer bad": `Bearer realm="plexus", error="invalid_token"`,
	} {
		header := http.Header{}
		if sent != "" {
			header.Set("Authorization", sent)
		}
		w := e.ask("192.0.2.9:1", header)
		if got := w.Header().Get("WWW-Authenticate"); got != want || w.Code != http.StatusUnauthorized {
			t.Errorf("%q: got %d, %q", sent, w.Code, got)
		}
		if strings.Contains(w.Body.String(), "digest") {
			t.Errorf("%q: the client sees %s", sent, w.Body)
		}
	}
	if log := e.log.String(); !strings.Contains(log, "192.0.2.9:1") || !strings.Contains(log, "digest of the token") ||
		strings.Contains(log, "Bearer bad") {
		t.Errorf("the log says %s", log)
	}
}

// TestWhoProvesNothingHasNoCredentials: a function that forgets the error gives
// nobody access, and the log tells why.
func TestWhoProvesNothingHasNoCredentials(t *testing.T) {
	nothing := WithAuthentication(func(*http.Request) (plugin.Caller, error) { return plugin.Caller{}, nil })
	e := newTestAccess(t, true, nothing)
	if w := e.ask("127.0.0.1:1", nil); w.Code != http.StatusUnauthorized || e.caller != nil {
		t.Errorf("got %d, caller %v", w.Code, e.caller)
	}
	if log := e.log.String(); !strings.Contains(log, "the caller has no name, no means and no scopes") {
		t.Errorf("the log says %s", log)
	}
	e = newTestAccess(t, true, nothing, WithAnonymous("notes:read"))
	if e.ask("127.0.0.1:1", nil); e.caller == nil || !reflect.DeepEqual(e.caller.Scopes, []string{"notes:read"}) {
		t.Errorf("where others are accepted: caller %v", e.caller)
	}
}

func TestAnErrorOfAuthenticationRefusesACaller(t *testing.T) {
	for name, authenticate := range map[string]Authenticate{
		"beside a caller": func(*http.Request) (plugin.Caller, error) {
			return plugin.Caller{Name: "ann", Scopes: []string{"*"}}, errors.New("revoked")
		},
		"at the timeout": func(r *http.Request) (plugin.Caller, error) {
			<-r.Context().Done()
			return plugin.Caller{}, r.Context().Err()
		},
	} {
		e := newTestAccess(t, true, WithLimits(Limits{HandshakeTimeout: 1}), WithAuthentication(authenticate), WithAnonymous("*"))
		if w := e.ask("127.0.0.1:1", nil); w.Code != http.StatusUnauthorized || e.caller != nil {
			t.Errorf("%s: got %d, caller %v", name, w.Code, e.caller)
		}
	}
}

func TestWrongCredentialsCountAsManyRequests(t *testing.T) {
	for from, other := range map[string]string{
		"192.0.2.1:1":         "192.0.2.2:1",
		"[2001:db8:1:2::3]:1": "[2001:db8:1:3::3]:1",
	} {
		asked := new(atomic.Int64)
		e := newTestAccess(t, false, WithLimits(Limits{MaxRequestRate: 1e-9, MaxRequestBurst: 100}),
			WithAuthentication(func(r *http.Request) (plugin.Caller, error) {
				asked.Add(1)
				return known(r)
			}))
		bad, good := http.Header{"Authorization": {"Bearer bad"}}, http.Header{"Authorization": {"Bearer good"}}
		codes := map[int]int{}
		for range 50 {
			codes[e.ask(from, bad).Code]++
		}
		if n := codes[http.StatusUnauthorized]; n < 4 || n > 5 || codes[http.StatusTooManyRequests] != 50-n || asked.Load() != int64(n) {
			t.Errorf("%s: got %v, %d asked", from, codes, asked.Load())
		}
		w := e.ask(from, good)
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: then the address is answered %d", from, w.Code)
		}
		// The programs of this machine share one address: one that fails must
		// not slow down the others.
		for range 50 {
			e.ask("127.0.0.1:1", bad)
		}
		for _, other := range []string{other, "127.0.0.1:1"} {
			if e.ask(other, good); e.caller == nil {
				t.Errorf("%s is slowed down", other)
			}
		}
		// Clients can't fill the disk.
		if n := strings.Count(e.log.String(), "\n"); n > 10+10+4 {
			t.Errorf("%s: %d lines in the log", from, n)
		}
	}
}

// TestLimitsOfAProxyThatIsNotTrusted: its clients have limits though it runs on
// this machine, whose programs have none.
func TestLimitsOfAProxyThatIsNotTrusted(t *testing.T) {
	for _, from := range []string{"127.0.0.1:1", "[::1]:1", "@"} {
		e := newTestAccess(t, true, WithInsecure(), WithLimits(Limits{MaxRequestRate: 1e-9, MaxRequestBurst: 5, MaxConnectionsPerAddress: 3}))
		codes := map[int]int{}
		for range 6 {
			codes[e.ask(from, http.Header{"Via": {"1.1 front"}}).Code]++
		}
		if codes[200] != 3 || codes[429] != 3 {
			t.Errorf("%s: through the proxy: %v", from, codes)
		}
		for range 6 {
			if w := e.ask(from, nil); w.Code != 200 {
				t.Errorf("%s: a program of this machine: %d", from, w.Code)
			}
		}
	}
}

func TestLimitsOfConnectionsAreAnswered(t *testing.T) {
	e := newTestAccess(t, false, WithLimits(Limits{MaxConnections: 2, MaxConnectionsPerAddress: 1}))
	for _, tt := range []struct {
		from   string
		status int
	}{
		{"[2001:db8:1:2::3]:1", 200},
		{"[2001:db8:1:2::4]:1", 429}, // of the same network
		{"[2001:db8:1:3::4]:1", 200},
		{"192.0.2.1:1", 503},
	} {
		w := e.ask(tt.from, nil)
		if w.Code != tt.status || (w.Code != 200) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: got %d, %v", tt.from, w.Code, w.Header())
		}
	}
	if l := e.connections; l.opened != 2 || l.accepted != 2 {
		t.Errorf("%d open, %d accepted", l.opened, l.accepted)
	}
}
