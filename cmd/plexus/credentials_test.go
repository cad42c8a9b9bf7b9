// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestCredentialsOfTheFirstHubStayThere: a hub that the registry names, which may be
// anybody's, gets the token only where that was said.
func TestCredentialsOfTheFirstHubStayThere(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 8)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Authorization") + r.Header.Get("Cookie")
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(web.Close)
	url := serveMain(t, "asked-first", map[string]string{"billing": "ws" + strings.TrimPrefix(web.URL, "http")}).URL
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--token", "secret", "billing"}, ""},
		{[]string{"--cookie", "access_token=secret", "billing"}, ""},
		{[]string{"--token", "secret", "--pass-on", "billing"}, "Bearer secret"},
		{[]string{"--token", "secret", "ping", "billing"}, ""},
	} {
		got := plexus(t, url, test.args...)
		if shown := <-seen; shown != test.want || got.status != failed {
			t.Errorf("%q: the hub is shown %q; status %d, %s", test.args, shown, got.status, got.stderr)
		}
	}
}
