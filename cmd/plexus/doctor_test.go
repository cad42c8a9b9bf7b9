// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestDoctor goes to servers each of which fails at another step.
func TestDoctor(t *testing.T) {
	t.Parallel()
	answer := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	plain := func(handler http.Handler) string {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return "ws" + strings.TrimPrefix(s.URL, "http")
	}
	encrypted := httptest.NewUnstartedServer(answer(http.StatusOK))
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0) // of a handshake that is to fail
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	garbled := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("220 not this protocol\r\n"))
		conn.Close()
	})
	nameless := newFake(t, "", func(c *fakeCall) { c.unknown() })
	unschooled := newFake(t, "h", func(c *fakeCall) { c.unknown() })
	wordless := silentHub(t)
	deaf := testkit.Listen(t) // the system accepts for it

	for _, test := range []struct{ name, url, step, advice string }{
		{"a web server", plain(answer(http.StatusNotFound)), "upgrade", "an HTTP server answers 404, but it is not a hub"},
		{"a hub that lets nobody in", plain(answer(http.StatusUnauthorized)), "upgrade", "give --token, --cookie or --header"},
		{"TLS behind ws", "ws" + strings.TrimPrefix(encrypted.URL, "https"), "upgrade", "answers 400, but it is not a hub: try wss://"},
		{"another protocol", plain(garbled), "upgrade", "does not speak WebSocket: check the port, or try wss://"},
		{"no TLS", "wss" + strings.TrimPrefix(nameless.url, "ws"), "tls", "try ws:// in place of wss://"},
		{"a certificate of nobody", "wss" + strings.TrimPrefix(encrypted.URL, "https"), "tls", "signed by no authority that this system trusts"},
		{"no such name", "ws://nobody.invalid:1", "name", "the name is not known here"},
		{"no hub", nameless.url, "_info", "it speaks WebSocket, but not as a Plexus hub does"},
		{"no word", wordless.url, "_info", "timed out: it speaks WebSocket, but does not answer _info"},
		{"a port that never answers", "ws://" + deaf.Addr().String(), "upgrade", "timed out: something listens, but does not answer"},
		{"a port that never answers TLS", "wss://" + deaf.Addr().String(), "tls", "timed out: something listens, but does not answer"},
		{"no schema", unschooled.url, "schema", "not with its schema"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := plexus(t, "", "doctor", "--pretty", "--timeout", "2s", test.url)
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			last := strings.Fields(lines[len(lines)-1])
			if r.status != failed || len(last) < 3 || last[0] != test.step || last[1] != "FAILED" || !strings.Contains(r.stderr, test.advice) {
				t.Errorf("got %d\n%s%s", r.status, r.stdout, r.stderr)
			}
			for _, line := range lines[:len(lines)-1] {
				if strings.Contains(line, "FAILED") {
					t.Errorf("a step after a failure: %s", r.stdout)
				}
			}
		})
	}
}

// TestDoctorNoAddress: what is no address may be one nearly.
func TestDoctorNoAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ word, hint string }{
		{"localhost:4444", "Did you mean ws://localhost:4444?\n"},
		{"127.0.0.1:4445", "Did you mean ws://127.0.0.1:4445?\n"},
		{"[::1]:4445", "Did you mean ws://[::1]:4445?\n"},
		{"http://a/b", "Did you mean ws://a/b?\n"},
		{"https://a", "Did you mean wss://a?\n"},
		{"my-hub", "For a hub on that host: plexus doctor ws://my-hub:4444.\nFor a backend of that name: plexus alone lists the addresses of all.\n"},
		{"ws://", ""},
		{"/", ""},
		{"", ""},
	} {
		r := plexus(t, "", "doctor", test.word)
		want := "plexus: \"" + test.word + "\" is not ws://HOST:PORT or wss://HOST:PORT\n" + test.hint
		if r.status != misused || r.stderr != want {
			t.Errorf("%q: got %d, %s; want %s", test.word, r.status, r.stderr, want)
		}
	}
}
