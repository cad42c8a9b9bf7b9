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
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// tap is a listener that counts what is written to its connections.
type tap struct {
	net.Listener
	writes atomic.Int64
	bytes  atomic.Int64
	sized  atomic.Int64 // how often a send buffer was given a size
}

func newTap(t *testing.T) *tap { return &tap{Listener: testkit.Listen(t)} }

func (l *tap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tapped{c.(*net.TCPConn), l}, nil
}

type tapped struct {
	*net.TCPConn
	tap *tap
}

func (c *tapped) Write(p []byte) (int, error) {
	c.tap.writes.Add(1)
	n, err := c.TCPConn.Write(p)
	c.tap.bytes.Add(int64(n))
	return n, err
}

func (c *tapped) SetWriteBuffer(bytes int) error {
	defer c.tap.sized.Add(1)
	return c.TCPConn.SetWriteBuffer(bytes)
}

// steady waits until nothing more is written.
func (l *tap) steady(t *testing.T) {
	t.Helper()
	last, since := int64(-1), time.Now()
	testkit.Eventually(t, "the writes to come to a stop", func() bool {
		if n := l.bytes.Load(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 200*time.Millisecond
	})
}

// heap is what is in use after a collection.
func heap() int64 {
	var m runtime.MemStats
	for range 3 { // pools let go in two
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAClientThatDoesNotReadIsClosed(t *testing.T) {
	t.Parallel()
	for name, serve := range transports {
		t.Run(name, func(t *testing.T) {
			s := serve(t, websocket.Limits{StallTimeout: 300 * time.Millisecond}, testkit.Listen(t))
			stuck, other := s.dial(), s.dial()
			other.Quiet()
			stuck.Quiet()
			for id := range 100 {
				stuck.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.flood","params":{"bytes":1000}}`, id)
			}
			begin := time.Now()
			calls := 0
			for s.Connections() == 2 && time.Since(begin) < testkit.Patience {
				other.served(other.call(calls, "echo.once", `{"message":"undisturbed"}`))
				calls++
			}
			t.Logf("closed after %v; %d calls of another client meanwhile", time.Since(begin), calls)
			if calls < 3 {
				t.Errorf("another client was blocked: it made %d calls", calls)
			}
			// One that wakes up late still learns why.
			stuck.closedWith(gorilla.ClosePolicyViolation)
			testkit.Eventually(t, "the streams to end", func() bool { return s.probe.running.Load() == 0 })
			other.Quiet()
		})
	}
}

func TestAClientThatWakesUpGetsTheRest(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	for name, serve := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tap := newTap(t)
			c := serve(t, websocket.Limits{StallTimeout: 3 * time.Second}, tap).dial()
			network := c.NetConn()
			if layer, ok := network.(interface{ NetConn() net.Conn }); ok {
				network = layer.NetConn()
			}
			network.(*net.TCPConn).SetReadBuffer(64 << 10)
			sub := c.call(1, "probe.large", fmt.Sprintf(`{"bytes":%d}`, size))
			testkit.Eventually(t, "the client to be late", func() bool { return tap.sized.Load() > 1 })
			if f := c.Item(sub, "data"); len(f.Params.Result.Content) != size+2 {
				t.Errorf("%d bytes of content, want %d", len(f.Params.Result.Content), size+2)
			}
			c.closedWith(gorilla.ClosePolicyViolation)
		})
	}
}

func TestWhatAClientThatDoesNotReadCosts(t *testing.T) {
	const limit = 1 << 20
	tests := []struct {
		name, call string
		// One large item is allowed beside. What methods hold until theirs is
		// written is not the connection's, so here it is nothing.
		item int64
	}{
		{"streams", `"method":"probe.flood","params":{"bytes":1000}`, 0},
		{"streams of empty items", `"method":"probe.flood","params":{"bytes":0}`, 0},
		{"calls", `"method":"echo.once","params":{"message":"hello"}`, 0},
		{"large results", `"method":"probe.filled","params":{"bytes":300000}`, 300_000},
		{"refusals", `"method":"none"`, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tap := newTap(t)
			s := serveOn(t, websocket.Limits{StallTimeout: time.Hour}, tap)
			c := s.dial()
			c.Quiet()
			before := heap()
			sender := make(chan struct{})
			go func() { // ends when the server reads no more
				defer close(sender)
				for id := range 5_000 {
					c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
					if c.WriteMessage(gorilla.TextMessage, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,%s}`, id, test.call)) != nil {
						return
					}
				}
			}()
			<-sender
			tap.steady(t)
			cost := heap() - before
			t.Logf("%d KiB, %d goroutines", cost>>10, runtime.NumGoroutine())
			if cost > limit+test.item {
				t.Errorf("costs %d KiB, want %d at most", cost>>10, (limit+test.item)>>10)
			}
			c.TCP().SetLinger(0)
			c.Close()
			testkit.Eventually(t, "the session to end", func() bool { return s.Connections() == 0 })
		})
	}
}

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

func TestManySmallAnswersLeaveInFewWrites(t *testing.T) {
	const calls = 200
	all := writes(calls)
	for name, serve := range transports {
		t.Run(name, func(t *testing.T) {
			tap := newTap(t)
			c := serve(t, websocket.Limits{}, tap).dial()
			c.Quiet()
			before := tap.writes.Load()
			c.write(all)
			for range 3 * calls {
				c.Next()
			}
			if writes := tap.writes.Load() - before; writes > calls {
				t.Errorf("%d frames in %d writes, want less than one a call", 3*calls, writes)
			}
		})
	}
}

func TestALoneAnswerIsNotDelayed(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		for id := range 5 {
			time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
			begin := time.Now()
			c.Item(c.call(id, "probe.block", "{}"), "data")
			if took := time.Since(begin); took != 0 {
				t.Errorf("answered after %v", took)
			}
		}
	})
}

// TestAQuickCallBesideABusyWriter: the reader answers a quick call, unless
// somebody else writes; then the writer does.
func TestAQuickCallBesideABusyWriter(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		c.Send(`{"jsonrpc":"2.0","id":1,"method":"probe.block"}`)
		synctest.Wait() // the writer waits for the client
		time.Sleep(time.Millisecond)
		c.Send(`{"jsonrpc":"2.0","id":2,"method":"_info"}`)
		synctest.Wait()
		c.Item(c.Subscribed("1"), "data")
		c.served(c.Subscribed("2"))
	})
}
