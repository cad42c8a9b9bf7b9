// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// transports start a server over TCP, and over TLS.
var transports = map[string]func(testing.TB, websocket.Limits, net.Listener) *server{"TCP": serveOn, "TLS": serveTLS}

func serveTLS(t testing.TB, limits websocket.Limits, l net.Listener) *server {
	t.Helper()
	lender := httptest.NewTLSServer(nil) // of its certificate
	t.Cleanup(lender.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(lender.Certificate())
	s := serveOn(t, limits, tls.NewListener(l, &tls.Config{Certificates: lender.TLS.Certificates}))
	s.url = "wss://" + s.addr
	s.TLSClientConfig = &tls.Config{RootCAs: trusted}
	return s
}

func TestAStopCutsOffWhatHangsUnderTLS(t *testing.T) {
	s := serveTLS(t, websocket.Limits{StallTimeout: time.Hour}, testkit.Listen(t))
	c := s.dial()
	c.Send(`{"jsonrpc":"2.0","id":1,"method":"probe.large","params":{"bytes":20000000}}`)
	testkit.Eventually(t, "the write to begin", func() bool { return c.Text() != "" })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	testkit.Eventually(t, "the connection to end", func() bool { return s.Connections() == 0 })
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}
