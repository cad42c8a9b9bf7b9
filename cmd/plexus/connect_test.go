// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
)

// ownHost is a host of this machine whose ports are free: on Linux, all of
// 127.0.0.0/8 is that.
func ownHost() string { return fmt.Sprintf("127.%d.%d.%d", 1+rand.N(250), rand.N(250), 1+rand.N(250)) }

// TestFallback: credentials are for the registry at its own port. Whatever else
// listens at the port of hubs gets none, and standard error says that it is asked;
// nor is it asked in place of a registry that refuses the credentials.
func TestFallback(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		first int // how the registry's port answers; 0 where nothing listens
		args  string
		seen  string // what the hub's port was shown: "-" for nothing, "" for not asked
		says  string // of HOST
	}{
		{"nothing listens", 0, "--token secret", "-", "plexus: nothing listens at ws://HOST:4445: ws://HOST:4444 is asked instead, without credentials\n"},
		{"a cookie", 0, "--cookie access_token=secret", "-", "is asked instead, without credentials\n"},
		{"a header", 0, "--header X-Key:secret", "-", "is asked instead, without credentials\n"},
		{"passed on", 0, "--token secret --pass-on", "-", "is asked instead, without credentials\n"},
		{"no credentials", 0, "", "-", "plexus: nothing listens at ws://HOST:4445: ws://HOST:4444 is asked instead\n"},
		{"no hub", http.StatusNotFound, "--token secret", "-", "plexus: ws://HOST:4445 can't be used (upgrade): "},
		{"unauthorized", http.StatusUnauthorized, "--token secret", "", "401"},
		{"forbidden", http.StatusForbidden, "--token secret", "", "403"},
		{"too many", http.StatusTooManyRequests, "", "", "429"},
		{"unavailable", http.StatusServiceUnavailable, "--token secret", "", "503"},
		{"said by the user", 0, "--token secret -P 4444", "Bearer secret", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			host, seen := ownHost(), make(chan string, 8)
			serve := func(port string, answer http.HandlerFunc) {
				l, err := net.Listen("tcp", host+":"+port)
				if err != nil {
					t.Skipf("can't listen: %v", err)
				}
				web := &httptest.Server{Listener: l, Config: &http.Server{Handler: answer}}
				web.Start()
				t.Cleanup(web.Close)
			}
			if test.first != 0 {
				serve("4445", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(test.first) })
			}
			serve("4444", func(w http.ResponseWriter, r *http.Request) {
				seen <- cmp.Or(r.Header.Get("Authorization")+r.Header.Get("Cookie")+r.Header.Get("X-Key"), "-")
				w.WriteHeader(http.StatusTeapot)
			})
			r := plexus(t, "", strings.Fields(test.args+" -H "+host)...)
			close(seen)
			if got := <-seen; got != test.seen || r.status != failed || !strings.Contains(r.stderr, strings.ReplaceAll(test.says, "HOST", host)) {
				t.Errorf("it is shown %q, want %q; %+v", got, test.seen, r)
			}
		})
	}
}

// TestFallbackIsNoOrigin: what a registry that was asked without credentials says
// of itself earns it none, and neither does its coming back.
func TestFallbackIsNoOrigin(t *testing.T) {
	t.Parallel()
	host := ownHost()
	l, err := net.Listen("tcp", host+":"+hubPort)
	if err != nil {
		t.Skipf("can't listen: %v", err)
	}
	testkit.PretendOn(t, l, func(p *testkit.Peer) {
		if p.Header.Get("Authorization") != "" {
			t.Error("it got the token")
		}
		for {
			_, text, err := p.ReadMessage()
			c := &fakeCall{Peer: p}
			if err != nil || json.Unmarshal(text, &c.Request) != nil {
				return
			}
			switch c.inner, _ = c.Call(); c.inner {
			case "_info":
				c.stream("9", fakeData(`{"backend":"evil"}`), fakeDone)
			case "registry.get":
				c.stream("7", fakeData(`{"backend":`+entryOf(t, "prod", "ws://"+l.Addr().String(), `,"answers_as":"evil"`)+`}`), fakeDone)
			case "registry.watch":
				c.stream("7", fakeData(`{"type":"backends","backends":[]}`))
				c.Close()
			default:
				c.unknown()
			}
		}
	})
	for _, args := range [][]string{{"ping", "prod"}, {"--pass-on", "ping", "prod"}, {"watch", "--timeout", "2s"}} {
		r := plexus(t, "", append([]string{"-H", host, "--token", "secret"}, args...)...)
		if r.stdout == "" || !strings.Contains(r.stderr, "without credentials") {
			t.Errorf("%q: got %+v", args, r)
		}
	}
	if r := plexus(t, "", "__complete", "--timeout", "20s", "-H", host, "--verbose", "evi"); r.stdout != "evil\tThe hub at ws://"+l.Addr().String()+"\n:4\n" || r.stderr != "" {
		t.Errorf("completion: got %+v", r)
	}
}

// TestPorts: where no port is given, the registry's is tried, and then that of
// a hub.
func TestPorts(t *testing.T) {
	t.Parallel()
	host := ownHost()
	listen := func(port string) net.Listener {
		l, err := net.Listen("tcp", host+":"+port)
		if err != nil {
			t.Skipf("can't listen: %v", err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	expect := func(status int, stdout, stderr string) {
		t.Helper()
		r := plexus(t, "", "-H", host)
		if r.status != status || !strings.Contains(r.stdout, stdout) || !strings.Contains(r.stderr, stderr) {
			t.Errorf("got %+v", r)
		}
	}
	listen(hubPort).Close()
	expect(failed, "", fmt.Sprintf("nothing listens at ws://%s:4445, nor at ws://%s:4444", host, host))

	testhub.Start(t, testhub.Config{Name: "second", Address: host + ":" + hubPort})
	expect(succeeded, fmt.Sprintf(`{"name":"second","url":"ws://%s:4444"}`, host), "second, at")

	// What is no hub does not keep from it either.
	web := &httptest.Server{Listener: listen("4445"), Config: &http.Server{Handler: http.NotFoundHandler()}}
	web.Start()
	t.Cleanup(web.Close)
	expect(succeeded, `{"name":"second"`, "second, at")
}
