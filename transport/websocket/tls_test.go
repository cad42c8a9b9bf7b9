// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// serveTLS is serveOn under TLS; dialTLS reaches it.
func serveTLS(t *testing.T, limits websocket.Limits, l net.Listener) (*server, *gorilla.Dialer) {
	t.Helper()
	lender := httptest.NewTLSServer(nil) // of its certificate
	t.Cleanup(lender.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(lender.Certificate())
	s := serveOn(t, limits, tls.NewListener(l, &tls.Config{Certificates: lender.TLS.Certificates}))
	return s, &gorilla.Dialer{TLSClientConfig: &tls.Config{RootCAs: trusted}}
}

func TestAnswersAreGatheredUnderTLS(t *testing.T) {
	tap := newTap(t)
	s, dialer := serveTLS(t, websocket.Limits{}, tap)
	tap.gathers(s.dialWith(dialer, "wss://"+s.addr))
}

func TestAClientThatWakesUpGetsTheRestUnderTLS(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	tap := newTap(t)
	s, dialer := serveTLS(t, websocket.Limits{StallTimeout: 2 * time.Second}, tap)
	c := s.dialWith(dialer, "wss://"+s.addr)
	c.NetConn().(*tls.Conn).NetConn().(*net.TCPConn).SetReadBuffer(64 << 10)
	sub := c.call(1, "probe.large", fmt.Sprintf(`{"bytes":%d}`, size))
	testkit.Eventually(t, "the write to be late", func() bool { return tap.sized.Load() == 2 })
	if f := c.Item(sub, "data"); len(f.Params.Result.Content) != size+2 {
		t.Errorf("%d bytes of content, want %d", len(f.Params.Result.Content), size+2)
	}
	if got := c.Closed(); got != gorilla.ClosePolicyViolation {
		t.Errorf("closed with %d, want %d", got, gorilla.ClosePolicyViolation)
	}
}

func TestAClientThatDoesNotReadIsClosedUnderTLS(t *testing.T) {
	t.Parallel()
	s, dialer := serveTLS(t, websocket.Limits{StallTimeout: 200 * time.Millisecond}, testkit.Listen(t))
	stuck, other := s.dialWith(dialer, "wss://"+s.addr), s.dialWith(dialer, "wss://"+s.addr)
	stuck.Quiet()
	other.Quiet()
	for id := range 20 {
		stuck.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.large","params":{"bytes":1000000}}`, id)
	}
	testkit.Eventually(t, "the client that does not read to be closed", func() bool { return s.Connections() == 1 })
	other.Quiet()
}

func TestAStopCutsOffWhatHangsUnderTLS(t *testing.T) {
	s, dialer := serveTLS(t, websocket.Limits{StallTimeout: time.Hour}, testkit.Listen(t))
	c := s.dialWith(dialer, "wss://"+s.addr)
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
