// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkAccessControl measures one request, without a network.
func BenchmarkAccessControl(b *testing.B) {
	a := newAccess(b, false, WithLimits(Limits{MaxRequestRate: 1e9, MaxRequestBurst: 1e9}), WithAllowedHosts("hub.example"),
		WithAllowedOrigins("https://app.example"), WithTrustedProxies(prefixes("10.0.0.0/8")...), WithAuthentication(known))
	a.init(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), slog.New(slog.DiscardHandler))
	r := httptest.NewRequest("GET", "http://hub.example/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Origin": {"https://app.example"},
		"X-Forwarded-For": {"203.0.113.5, 10.0.0.2"}, "Authorization": {"Bearer good"},
	}
	at, _ := newPeer("10.0.0.1:1")
	defer at.Close()
	for b.Loop() {
		c := a.connections.add(at)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connKey{}, c)))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
		a.connections.remove(c)
	}
}
