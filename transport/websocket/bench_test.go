// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/transport/websocket"
)

const (
	onceRequest = `{"jsonrpc":"2.0","id":7,"method":"hub.call","params":{"method":"echo.once","params":{"message":"hello"}}}`
	onceFrames  = 3  // answer, data, done
	pipelined   = 16 // calls that a connection has under way
)

// BenchmarkOnce calls echo.once through a real socket, beside a bare echo of
// the same frames in the same run: ratio is how many calls the hub answers
// for one of the echo's.
func BenchmarkOnce(b *testing.B) {
	for _, connections := range []int{1, 16} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			// What a call costs, not how many one client may make.
			ours := serve(b, websocket.Limits{MaxCallsPerSecond: -1})
			bare := serveBare(b, ours)
			b.ReportAllocs()
			hub, echo := time.Duration(0), time.Duration(0)
			b.ResetTimer()
			// In turns, so that whatever else the machine does meets both.
			for done := 0; done < b.N; {
				n := min(2000, b.N-done)
				hub += pipeline(b, ours.addr, connections, n)
				b.StopTimer()
				echo += pipeline(b, bare, connections, n)
				b.StartTimer()
				done += n
			}
			b.ReportMetric(float64(b.N)/hub.Seconds(), "calls/s")
			b.ReportMetric(float64(b.N)/echo.Seconds(), "echo-calls/s")
			b.ReportMetric(echo.Seconds()/hub.Seconds(), "ratio")
		})
	}
}

// connections that pipeline has opened, by address: they are used again.
var benchConns sync.Map

// pipeline makes n calls over so many connections and returns how long it took.
func pipeline(b *testing.B, addr string, connections, n int) time.Duration {
	got, ok := benchConns.Load(addr)
	if !ok {
		conns := make([]*gorilla.Conn, connections)
		for i := range conns {
			ws, _, err := gorilla.DefaultDialer.Dial("ws://"+addr, nil)
			if err != nil {
				b.Fatal(err)
			}
			conns[i] = ws
		}
		benchConns.Store(addr, conns)
		b.Cleanup(func() {
			for _, ws := range conns {
				ws.Close()
			}
		})
		got = conns
	}
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	begin := time.Now()
	for _, ws := range got.([]*gorilla.Conn) {
		wg.Go(func() { drive(b, ws, &left) })
	}
	wg.Wait()
	return time.Since(begin)
}

// drive makes calls while some are left, several at a time.
func drive(b *testing.B, ws *gorilla.Conn, left *atomic.Int64) {
	request := []byte(onceRequest)
	done := []byte(`"result":{"type":"done"`)
	under := 0
	for {
		for under < pipelined && left.Add(-1) >= 0 {
			if err := ws.WriteMessage(gorilla.TextMessage, request); err != nil {
				b.Error(err)
				return
			}
			under++
		}
		if under == 0 {
			return
		}
		_, text, err := ws.ReadMessage()
		if err != nil {
			b.Error(err)
			return
		}
		if bytes.Contains(text, done) {
			under--
		}
	}
}

// serveBare answers every frame with three that a hub has answered it with,
// and does nothing else.
func serveBare(b *testing.B, ours *server) (addr string) {
	c := ours.dial()
	c.Send(onceRequest)
	var frames [onceFrames][]byte
	for i := range frames {
		frames[i] = []byte(c.Text())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	upgrader := gorilla.Upgrader{}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
			for _, f := range frames {
				if err := ws.WriteMessage(gorilla.TextMessage, f); err != nil {
					return
				}
			}
		}
	})}
	go web.Serve(l)
	b.Cleanup(func() { web.Close() })
	return l.Addr().String()
}
