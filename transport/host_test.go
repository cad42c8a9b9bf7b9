// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"net"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/address"
)

// newAccess returns the access control of a server that has these options.
func newAccess(t testing.TB, local bool, options ...Option) *accessControl {
	t.Helper()
	s := &Server{}
	for _, option := range options {
		option(s)
	}
	if s.optionErrors != nil {
		t.Fatal(s.optionErrors)
	}
	s.access.local = local
	return &s.access
}

func TestAllowedHosts(t *testing.T) {
	const (
		onLoopback = 1 << iota // a loopback listener
		elsewhere              // any other
		listed                 // any other, with allowed hosts
		proxied                // a loopback listener behind a proxy, with allowed hosts
		both                   // a loopback listener with allowed hosts
	)
	const never, loopback, ours = 0, onLoopback | elsewhere | both, elsewhere | listed | proxied | both
	allowed := WithAllowedHosts("hub.example", "192.0.2.7", "[2001:db8::7]", "Upper.Example.", "_odd.example")
	servers := map[int]*accessControl{
		onLoopback: newAccess(t, true),
		elsewhere:  newAccess(t, false, WithAllowedHosts()),
		listed:     newAccess(t, false, allowed),
		proxied:    newAccess(t, true, allowed),
		both:       newAccess(t, true, allowed),
	}
	for host, want := range map[string]int{
		"localhost":                  loopback,
		"LocalHost:4444":             loopback,
		"localhost.":                 loopback,
		"localhost.:1":               loopback,
		"hub.localhost:4444":         loopback,
		"127.0.0.1":                  loopback,
		"127.0.0.1:4444":             loopback,
		"127.8.9.10:1":               loopback,
		"[::1]":                      loopback,
		"[::1]:4444":                 loopback,
		"[0:0:0:0:0:0:0:1]:4444":     loopback,
		"[::ffff:127.0.0.1]":         loopback,
		"hub.example":                ours,
		"HUB.example.:4444":          ours,
		"192.0.2.7:4444":             ours,
		"[2001:db8:0:0::7]:4444":     ours,
		"upper.example":              ours,
		"_odd.example":               ours,
		"evil.example":               elsewhere,
		"hub.example.evil.example":   elsewhere,
		"localhost.evil.example":     elsewhere,
		"127.0.0.1.evil.example":     elsewhere,
		"notlocalhost":               elsewhere,
		"192.168.1.7:4444":           elsewhere,
		"0.0.0.0:4444":               elsewhere,
		"[::]:4444":                  elsewhere,
		"128.0.0.1":                  elsewhere,
		"127.1":                      elsewhere,
		"2130706433":                 elsewhere,
		"":                           elsewhere,
		"::1":                        elsewhere,
		"[::1%25lo]:4444":            elsewhere,
		"[localhost]":                elsewhere,
		"localhost:4444:4444":        elsewhere,
		"localhost..":                elsewhere,
		"user@localhost":             elsewhere,
		"localhost/":                 elsewhere,
		"localhost evil.example":     elsewhere,
		"localhost,evil.example":     elsewhere,
		"localhost\x00.evil.example": elsewhere,
		"lоcalhost":                  elsewhere, // not an o
		"[":                          elsewhere,
		"]":                          elsewhere,
		"[]":                         elsewhere,
		":":                          elsewhere,
	} {
		for kind, a := range servers {
			if got := a.allowsHost(host, kind == proxied); got != (want&kind != never) {
				t.Errorf("host %q, kind of listener %b: answered %v", host, kind, got)
			}
		}
	}
}

func TestAllowedOrigins(t *testing.T) {
	const (
		onLoopback = 1 << iota
		elsewhere
		proxied
	)
	const all = onLoopback | elsewhere | proxied
	allowed := WithAllowedOrigins("https://app.example", "http://dev.example:8080", "HTTPS://Deep.example:443",
		"tauri://localhost", "chrome-extension://abcdef", "http://[2001:db8::7]:80", "http://localhost:99")
	servers := map[int]*accessControl{
		onLoopback: newAccess(t, true, allowed),
		elsewhere:  newAccess(t, false, allowed),
		proxied:    newAccess(t, true, allowed),
	}
	for origin, want := range map[string]int{
		"http://localhost:5173":                 onLoopback,
		"https://localhost":                     onLoopback,
		"http://app.localhost:8080":             onLoopback,
		"http://127.0.0.1:3000":                 onLoopback,
		"http://127.8.9.10":                     onLoopback,
		"http://[::1]:3000":                     onLoopback,
		"http://localhost:99":                   all,
		"https://app.example":                   all,
		"https://APP.example:443":               all,
		"http://dev.example:8080":               all,
		"https://deep.example":                  all,
		"tauri://localhost":                     all,
		"chrome-extension://abcdef":             all,
		"http://[2001:db8::7]":                  all,
		"http://app.example":                    0,
		"https://app.example:8443":              0,
		"https://app.example.":                  all,
		"http://dev.example":                    0,
		"https://dev.example:8080":              0,
		"https://sub.app.example":               0,
		"https://app.example.evil":              0,
		"https://evil.example":                  0,
		"http://localhost.evil.example":         0,
		"http://127.0.0.1.evil.example":         0,
		"http://192.168.1.7":                    0,
		"http://0.0.0.0":                        0,
		"file://localhost":                      0,
		"other://127.0.0.1":                     0,
		"null":                                  0,
		"":                                      0,
		"file://":                               0,
		"://":                                   0,
		"localhost":                             0,
		"http:localhost":                        0,
		"http:///localhost":                     0,
		"http://localhost/":                     0,
		"http://localhost?":                     0,
		"http://localhost#":                     0,
		"http://localhost:":                     0,
		"http://localhost:x":                    0,
		"http://evil@localhost":                 0,
		"http://localhost@evil.example":         0,
		`http://evil.example\@localhost`:        0,
		"http://localhost http://evil.example":  0,
		"http://localhost, http://evil.example": 0,
		"http://%6cocalhost":                    0,
		" http://localhost":                     0,
	} {
		for kind, a := range servers {
			if got := a.allowsOrigin(origin, kind == proxied); got != (want&kind != 0) {
				t.Errorf("origin %q, kind of listener %b: allowed %v", origin, kind, got)
			}
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost:1", "[::1]:2", "127.0.0.1", "hub.example.", "[::1%lo]", "a:b:c", "[]", "..", "."} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, _, err := address.ParseHost(text)
		if err != nil {
			return
		}
		again := name
		if strings.Contains(name, ":") {
			again = "[" + name + "]"
		}
		if got, port, err := address.ParseHost(again); got != name || port != "" || err != nil {
			t.Errorf("%q is %q, and that is %q, %q, %v", text, name, got, port, err)
		}
		if ip := net.ParseIP(name); loopbackName(name) && !strings.HasSuffix(name, "localhost") && !ip.IsLoopback() {
			t.Errorf("%q counts as loopback", text)
		}
	})
}
