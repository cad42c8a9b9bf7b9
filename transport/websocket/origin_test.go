// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"net/http/httptest"
	"testing"
)

func TestPagesOfStrangersStayOut(t *testing.T) {
	tests := []struct {
		origin string
		in     bool
	}{
		{"", true}, // no web page
		{"http://localhost:5173", true},
		{"https://localhost", true},
		{"http://app.localhost:8080", true},
		{"http://127.0.0.1:3000", true},
		{"http://127.8.9.10", true},
		{"http://[::1]:3000", true},
		{"https://hub.example:4445", true}, // the host that is called
		{"https://HUB.example:4445", true},
		{"https://hub.example", false},
		{"https://evil.example", false},
		{"http://localhost.evil.example", false},
		{"http://127.0.0.1.evil.example", false},
		{"http://192.168.1.7", false},
		{"null", false},
		{"file://", false},
		{"://", false},
		{"localhost", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "http://hub.example:4445/", nil)
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		if got := trustedOrigin(r); got != tt.in {
			t.Errorf("origin %q is let in: %v", tt.origin, got)
		}
	}
	r := httptest.NewRequest("GET", "http://hub.example:4445/", nil)
	r.Header["Origin"] = []string{"http://localhost", "https://evil.example"}
	if trustedOrigin(r) {
		t.Error("two origins are let in")
	}
}
