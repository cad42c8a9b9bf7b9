// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
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
			var hubs, echoes []*gorilla.Conn
			bare := serveBare(b, ours)
			for range connections {
				hubs = append(hubs, testkit.Dial(b, ours.url).Conn)
				echoes = append(echoes, testkit.Dial(b, bare).Conn)
			}
			b.ReportAllocs()
			hub, echo := time.Duration(0), time.Duration(0)
			b.ResetTimer()
			// In turns, so that whatever else the machine does meets both.
			for done := 0; done < b.N; {
				n := min(2000, b.N-done)
				hub += pipeline(b, hubs, n)
				b.StopTimer()
				echo += pipeline(b, echoes, n)
				b.StartTimer()
				done += n
			}
			b.ReportMetric(float64(b.N)/hub.Seconds(), "calls/s")
			b.ReportMetric(float64(b.N)/echo.Seconds(), "echo-calls/s")
			b.ReportMetric(echo.Seconds()/hub.Seconds(), "ratio")
		})
	}
}

// pipeline makes n calls over the connections and returns how long it took.
func pipeline(b *testing.B, conns []*gorilla.Conn, n int) time.Duration {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	begin := time.Now()
	for _, ws := range conns {
		ws.SetReadDeadline(begin.Add(testkit.Patience))
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
func serveBare(b *testing.B, ours *server) (url string) {
	c := ours.dial()
	c.Send(onceRequest)
	var frames [onceFrames][]byte
	for i := range frames {
		frames[i] = []byte(c.Text())
	}
	upgrader := gorilla.Upgrader{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for err == nil {
			_, _, err = ws.ReadMessage()
			for _, f := range frames {
				err = errors.Join(err, ws.WriteMessage(gorilla.TextMessage, f))
			}
		}
	}))
	b.Cleanup(web.Close)
	return "ws" + strings.TrimPrefix(web.URL, "http")
}
