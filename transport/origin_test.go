// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"testing"
)

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
