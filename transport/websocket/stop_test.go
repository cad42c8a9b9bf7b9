// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"context"
	"errors"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// stopped is what will come of a graceful stop.
type stopped chan error

// ends waits for the end of a stop that succeeds.
func (s stopped) ends(t *testing.T) {
	t.Helper()
	if err := <-s; err != nil {
		t.Error(err)
	}
}

// stop begins a graceful stop.
func (s *server) stop(within time.Duration) stopped {
	stopped := make(stopped, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		stopped <- s.Shutdown(ctx)
	}()
	return stopped
}

const shuttingDown = "the hub is shutting down"

// goingAway reads the close frame of a stop.
func (c *client) goingAway() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(testkit.Patience))
	_, text, err := c.ReadMessage()
	var closed *gorilla.CloseError
	if !errors.As(err, &closed) || closed.Code != gorilla.CloseGoingAway || closed.Text != shuttingDown {
		c.t.Errorf("got %q, %v, want the close code 1001", text, err)
	}
}

// TestStopEndsStreams, and later connections are closed as they come.
func TestStopEndsStreams(t *testing.T) {
	s := serve(t, websocket.Limits{})
	busy, idle := s.dial(), s.dial()
	sub := busy.call(1, "probe.block", "{}")
	busy.Item(sub, "data")
	idle.Quiet()
	stopped := s.stop(testkit.Patience)
	if got := busy.Item(sub, "error").Params.Result; got.Message != shuttingDown || !got.Recoverable || got.Code != "-32000" {
		t.Errorf("got %+v", got)
	}
	busy.Item(sub, "done")
	busy.goingAway()
	idle.goingAway()
	stopped.ends(t)
	s.dial().goingAway()
	if n := s.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestStopLetsAWriteFinish(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	sub := c.call(1, "probe.hang", "{}")
	testkit.Eventually(t, "the write to begin", func() bool { return s.probe.running.Load() == 1 })
	stopped := s.stop(testkit.Patience)
	// No other call may begin meanwhile.
	testkit.Eventually(t, "the stop to be felt", func() bool {
		c.Send(`{"jsonrpc":"2.0","id":2,"method":"echo_once","params":["x"]}`)
		f := c.Next()
		if f.Error != nil {
			return f.Error.Code == -32000 && f.Error.Message == shuttingDown
		}
		c.Next()
		c.Next()
		return false
	})
	close(s.probe.released)
	if got := string(c.Item(sub, "data").Params.Result.Content); got != `"released"` {
		t.Errorf("got %s", got)
	}
	c.Item(sub, "done")
	c.goingAway()
	stopped.ends(t)
}

func TestStopReachesAWriterThatIsNeverIdle(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	for id := range 8 {
		c.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.flood","params":{"bytes":10}}`, id)
	}
	testkit.Eventually(t, "a stream", func() bool { return s.probe.yielded.Load() > 0 })
	stopped := s.stop(testkit.Patience)
	c.closedWith(gorilla.CloseGoingAway)
	stopped.ends(t)
}

func TestStopCutsOffAHungHandler(t *testing.T) {
	s := serve(t, websocket.Limits{})
	c := s.dial()
	c.call(1, "probe.hang", "{}")
	testkit.Eventually(t, "the call to begin", func() bool { return s.probe.running.Load() == 1 })
	begin := time.Now()
	if err := <-s.stop(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline that was exceeded", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	c.closedWith(0)         // without a close frame
	close(s.probe.released) // so that the test leaves nothing behind
}

func TestStopWhileClientsComeAndGo(t *testing.T) {
	s := serve(t, websocket.Limits{})
	ended := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { ended <- struct{}{} }()
			for {
				ws, _, err := gorilla.DefaultDialer.Dial("ws://"+s.addr, nil)
				if err != nil {
					return
				}
				ws.WriteMessage(gorilla.TextMessage, []byte(onceRequest))
				for err == nil {
					_, _, err = ws.ReadMessage()
					if s.probe.written.Load() == 0 {
						break // drop it while the answer is under way
					}
				}
				ws.Close()
				if gorilla.IsCloseError(err, gorilla.CloseGoingAway) {
					return
				}
			}
		}()
	}
	testkit.Eventually(t, "clients", func() bool { return s.Connections() > 0 })
	stopped := s.stop(testkit.Patience)
	s.probe.written.Add(1)
	for range 8 {
		<-ended
	}
	stopped.ends(t)
}
