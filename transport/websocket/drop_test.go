// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

const writeRequest = `{"jsonrpc":"2.0","id":%d,"method":"hub.call","params":{"method":"probe.write","params":{}}}`

// writes are so many frames, each with a call of probe.write.
func writes(n int) (frames []byte) {
	for id := range n {
		frames = append(frames, masked(textFrame, true, fmt.Appendf(nil, writeRequest, id))...)
	}
	return frames
}

func TestAWriteIsFinishedThoughItsClientHasGone(t *testing.T) {
	const several = 20
	var batch []byte
	for id := range several {
		batch = fmt.Appendf(append(batch, ','), writeRequest, id)
	}
	batch[0] = '['
	tests := []struct {
		name   string
		sent   []byte
		writes int // of each connection
		linger int
		times  int
		limits websocket.Limits
	}{
		{"closed", writes(1), 1, -1, 200, websocket.Limits{}},
		{"reset", writes(1), 1, 0, 200, websocket.Limits{}},
		{"several calls, closed", writes(several), several, -1, 50, websocket.Limits{}},
		{"several calls, reset", writes(several), several, 0, 50, websocket.Limits{}},
		{"a batch, reset", masked(textFrame, true, append(batch, ']')), several, 0, 50, websocket.Limits{}},
		// The last of them is read long after its client has gone.
		{"more calls than may run, reset", writes(500), 500, 0, 1, websocket.Limits{MaxCalls: 2, CallWait: time.Hour}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.limits)
			for range test.times {
				c := s.dial()
				c.write(test.sent)
				if test.linger == 0 {
					c.TCP().SetLinger(0)
				}
				c.NetConn().Close()
			}
			want := int64(test.times * test.writes)
			testkit.Eventually(t, "all writes", func() bool { return s.probe.written.Load() >= want })
			testkit.Eventually(t, "the connections to end", func() bool { return s.Connections() == 0 })
			if got := s.probe.written.Load(); got != want {
				t.Errorf("%d writes were finished, want %d", got, want)
			}
		})
	}
}

func TestAConnectionLastsUntilItsCallsHaveEnded(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	c.call(1, "probe.hang", "{}")
	testkit.Eventually(t, "the call to begin", func() bool { return s.probe.running.Load() == 1 })
	c.TCP().SetLinger(0)
	c.NetConn().Close()
	if err := <-s.stop(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the stop to wait for the call", err)
	}
	close(s.probe.released)
	s.stop(testkit.Patience).ends(t)
}

func TestAThousandConnectionsClosedAtOnce(t *testing.T) {
	const connections = 1000
	s := serve(t, websocket.Limits{})
	s.dial().Quiet()
	testkit.Eventually(t, "the first connection", func() bool { return s.Connections() == 1 })
	dialer := &gorilla.Dialer{ReadBufferSize: 256, WriteBufferSize: 256}
	var goroutines int
	var before int64
	// The first round makes what the runtime keeps for ever.
	for round := range 2 {
		clients := make([]*gorilla.Conn, connections) // which the test kit would keep
		for i := range clients {
			ws, _, err := dialer.Dial("ws://"+s.addr, nil)
			if err != nil {
				t.Fatal(err)
			}
			ws.WriteMessage(gorilla.TextMessage, fmt.Appendf(nil, blockMember, 1))
			for range 2 { // the answer and an item
				if _, _, err := ws.ReadMessage(); err != nil {
					t.Fatal(err)
				}
			}
			clients[i] = ws
		}
		if got := s.Connections(); got != connections+1 {
			t.Errorf("%d connections, want %d", got, connections+1)
		}
		if round == 1 {
			t.Logf("%.1f KiB a connection with a call in flight, both ends", float64(heap()-before)/connections/1024)
		}
		var wg sync.WaitGroup
		for _, c := range clients {
			wg.Go(func() { c.NetConn().Close() })
		}
		wg.Wait()
		testkit.Eventually(t, "the connections to end", func() bool { return s.Connections() == 1 })
		if n := s.probe.running.Load(); n != 0 {
			t.Errorf("%d streams run", n)
		}
		if round == 0 {
			goroutines, before = runtime.NumGoroutine(), heap()
		}
	}
	testkit.Eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if kept := heap() - before; kept > 1<<20 {
		t.Errorf("%d KiB are kept", kept>>10)
	}
}

// TestAfterTheClientsCloseTheSocketCloses at once, also where the close itself
// is wrong: clients wait for that.
func TestAfterTheClientsCloseTheSocketCloses(t *testing.T) {
	const closeFrame = 8
	for name, serve := range transports {
		t.Run(name, func(t *testing.T) {
			s := serve(t, websocket.Limits{}, testkit.Listen(t))
			for payload, want := range map[string]int{
				"\x03\xe8": gorilla.CloseNormalClosure, "\x03\xe9bye": gorilla.CloseGoingAway, "": gorilla.CloseNoStatusReceived,
				"\x03\xed": gorilla.CloseProtocolError, "\x03\xe8\xff": gorilla.CloseProtocolError,
			} {
				c := s.in(t).dial()
				c.Send(blockMember, 1)
				c.Item(c.Subscribed("1"), "data")
				begin := time.Now()
				c.write(append([]byte{0x80 | closeFrame, byte(0x80 | len(payload)), 0, 0, 0, 0}, payload...))
				if got := c.Closed(); got != want {
					t.Errorf("%q: closed with %d, want %d", payload, got, want)
				}
				c.NetConn().SetReadDeadline(time.Now().Add(testkit.Patience))
				// Gorilla answers a close with one of its own, which may meet a socket that
				// is closed already.
				if rest, err := io.ReadAll(c.NetConn()); err != nil && !errors.Is(err, syscall.ECONNRESET) || len(rest) > 0 {
					t.Errorf("%q: then came %q, %v", payload, rest, err)
				}
				if took := time.Since(begin); took >= time.Second { // the time for the other end to close
					t.Errorf("%q: it took %v", payload, took)
				}
			}
		})
	}
}
