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

	plexushub "github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/transport"
)

// TestPorts: where no port is given, the registry's is tried, and then that of
// a hub.
func TestPorts(t *testing.T) {
	t.Parallel()
	// All of 127.0.0.0/8 is this machine, on Linux: the ports are free there.
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.N(250), rand.N(250), 1+rand.N(250))
	listen := func(port int) net.Listener {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
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
	hubListener := listen(hubPort)
	hubListener.Close()
	expect(failed, "", fmt.Sprintf("nothing listens at ws://%s:4445, nor at ws://%s:4444", host, host))

	h, err := plexushub.New("second")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	hubListener = listen(hubPort)
	go func() { ended <- transport.New(h).Serve(t.Context(), hubListener) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	expect(succeeded, fmt.Sprintf(`{"name":"second","url":"ws://%s:4444"}`, host), "second, at")

	// What is no hub does not keep from it either.
	web := &httptest.Server{Listener: listen(registryPort), Config: &http.Server{Handler: http.NotFoundHandler()}}
	web.Start()
	t.Cleanup(web.Close)
	expect(succeeded, `{"name":"second"`, "second, at")
}
