// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit/testhub"
)

// TestPorts: where no port is given, the registry's is tried, and then that of
// a hub.
func TestPorts(t *testing.T) {
	t.Parallel()
	// All of 127.0.0.0/8 is this machine, on Linux: the ports are free there.
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.N(250), rand.N(250), 1+rand.N(250))
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
