// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/transport/websocket"
)

// The tests of this file run on a clock of their own, over connections in
// memory that hold nothing: what one end writes waits until the other reads.

// inMemory runs a test with a client of a server that has the default limits.
func inMemory(t *testing.T, test func(t *testing.T, s *server, c *client)) {
	inMemoryWith(t, websocket.Limits{}, test)
}

func inMemoryWith(t *testing.T, limits websocket.Limits, test func(t *testing.T, s *server, c *client)) {
	synctest.Test(t, func(t *testing.T) {
		s := serveOn(t, limits, testkit.NewPipes())
		c := s.dial()
		synctest.Wait()
		test(t, s, c)
	})
}

// ended waits until the connection has ended, and returns how long that took.
func (s *server) ended() time.Duration {
	begin := time.Now()
	for s.Connections() > 0 {
		if time.Sleep(10 * time.Millisecond); time.Since(begin) > 5*time.Minute {
			s.t.Fatal("the connection did not end")
		}
	}
	return time.Since(begin).Truncate(time.Second)
}

func TestPingsComeEachThirtySeconds(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		begin, answer := time.Now(), c.PingHandler()
		var pings []time.Duration
		c.SetPingHandler(func(data string) error {
			pings = append(pings, time.Since(begin))
			return answer(data)
		})
		time.AfterFunc(10*time.Minute+time.Second, func() { c.Send(`{"jsonrpc":"2.0","id":1,"method":"none"}`) })
		c.SetReadDeadline(time.Time{})
		if _, _, err := c.ReadMessage(); err != nil {
			t.Fatalf("a peer that answers was closed: %v", err)
		}
		if len(pings) != 20 {
			t.Errorf("%d pings, want 20", len(pings))
		}
		for i, at := range pings {
			if want := time.Duration(i+1) * 30 * time.Second; at != want {
				t.Errorf("ping after %v, want %v", at, want)
			}
		}
	})
}

func TestAPeerThatAnswersNoPingIsClosedAfterSeventySeconds(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		c.Item(c.call(1, "probe.block", "{}"), "data")
		c.SetReadDeadline(time.Time{})
		go io.Copy(io.Discard, c.NetConn())
		if took := s.ended(); took != 70*time.Second {
			t.Errorf("closed after %v, want 70s", took)
		}
		if n := s.probe.running.Load(); n != 0 {
			t.Errorf("%d streams run", n)
		}
	})
}

func TestAClientThatTakesNoPingIsClosed(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		// The ping after 30 seconds stalls; then its grace, and the goodbye.
		if took := s.ended(); took < 37*time.Second || took > 40*time.Second {
			t.Errorf("closed after %v, want less than 10s after the first ping", took)
		}
	})
}

func TestAClientThatWakesUpForAPingLearnsWhy(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		time.Sleep(36 * time.Second) // in the grace of the ping
		pings := 0
		c.SetPingHandler(func(string) error { pings++; return nil })
		if got := c.Closed(); got != gorilla.ClosePolicyViolation || pings != 1 {
			t.Errorf("%d pings and then %d, want 1 and then %d", pings, got, gorilla.ClosePolicyViolation)
		}
		c.Close()
		s.ended()
	})
}

func TestAClientThatOnlyPingsIsClosed(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		begin, pinger := time.Now(), make(chan struct{})
		go func() {
			defer close(pinger)
			for c.WriteControl(gorilla.PingMessage, []byte("are you there?"), time.Now().Add(time.Second)) == nil {
				time.Sleep(time.Second)
			}
		}()
		s.ended()
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("closed after %v", took)
		}
		<-pinger
	})
}

func TestAStalledClientIsClosedWithinTenSeconds(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		c.Send(onceRequest)
		if took := s.ended(); took < 5*time.Second || took > 10*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestEveryPingIsAnswered(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		const pings = 200
		next := 0
		c.SetPongHandler(func(data string) error {
			if data != fmt.Sprint(next) {
				t.Errorf("the pong %q, want %d", data, next)
			}
			next++
			return nil
		})
		ping := func(from, to int) {
			for ; from < to; from++ {
				if err := c.WriteControl(gorilla.PingMessage, fmt.Append(nil, from), time.Now().Add(testkit.Patience)); err != nil {
					t.Error(err)
				}
			}
		}
		ping(0, 10) // while nothing is read
		synctest.Wait()
		c.Quiet()
		go func() {
			ping(10, pings)
			c.Send(`{"jsonrpc":"2.0","id":1,"method":"none"}`)
		}()
		c.Rejected("1", -32601)
		for next < pings { // an answer may come before a pong
			c.Quiet()
			time.Sleep(time.Millisecond)
		}
	})
}

func TestASlowUploadIsNotADeadPeer(t *testing.T) {
	inMemoryWith(t, websocket.Limits{MessageTimeout: time.Hour}, func(t *testing.T, s *server, c *client) {
		c.SetPingHandler(func(string) error { return nil }) // a pong would come inside the message
		c.SetReadDeadline(time.Time{})
		answers := make(chan error, 3)
		go func() {
			for range 3 {
				_, _, err := c.ReadMessage()
				answers <- err
			}
		}()
		frame := masked(textFrame, true, []byte(onceRequest))
		for part := frame[:20]; len(frame) > 0; part = frame[:min(len(frame), 5)] {
			c.write(part)
			frame = frame[len(part):]
			time.Sleep(time.Minute)
		}
		for range 3 {
			if err := <-answers; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestALargeItemOverAThinLine arrives, however long it takes, and the connection
// goes on.
func TestALargeItemOverAThinLine(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, _ *client) {
		dialer := s.Dialer
		dialer.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.NetDialContext(ctx, network, address)
			return thinLine{conn}, err
		}
		ws, _, err := testkit.DialWith(t, &dialer, s.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadDeadline(time.Time{})
		time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
		ws.Send(`{"jsonrpc":"2.0","id":1,"method":"probe.large","params":{"bytes":%d}}`, 300<<10)
		begin := time.Now()
		for _, want := range []string{`"result":`, `"type":"data"`, `"type":"done"`} {
			if _, text, err := ws.ReadMessage(); err != nil || !strings.Contains(string(text), want) {
				t.Fatalf("%.100s, %v after %v, want %s", text, err, time.Since(begin), want)
			}
		}
		if took := time.Since(begin); took < 5*time.Minute {
			t.Errorf("it took %v", took)
		}
		ws.Send(`{"jsonrpc":"2.0","id":2,"method":"none"}`)
		if _, text, err := ws.ReadMessage(); err != nil || !strings.Contains(string(text), `"id":2`) {
			t.Errorf("then %s, %v", text, err)
		}
	})
}

// thinLine passes 1 KiB a second.
type thinLine struct{ net.Conn }

func (l thinLine) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return l.Conn.Read(p[:min(len(p), 1<<10)])
}

func TestASlowReaderIsNotClosed(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		c.Send(`{"jsonrpc":"2.0","id":1,"method":"probe.large","params":{"bytes":%d}}`, 2<<20)
		chunk := make([]byte, 64<<10)
		for read := 0; read < 2<<20; {
			time.Sleep(4 * time.Second)
			n, err := io.ReadFull(c.NetConn(), chunk)
			if err != nil {
				t.Fatalf("after %d bytes: %v", read, err)
			}
			read += n
		}
	})
}

func TestAHalfMessageDoesNotKeepTheConnection(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		go io.Copy(io.Discard, c.NetConn())
		c.write(masked(textFrame, true, []byte(onceRequest))[:60])
		if took := s.ended(); took != 70*time.Second {
			t.Errorf("closed after %v, want 70s", took)
		}
	})
}

func TestWhatFollowsAMessageFarOverTheLimitIsDiscarded(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		code := make(chan int, 1)
		go func() { code <- c.Closed() }()
		if _, err := c.NetConn().Write(append(beginning(1<<40), make([]byte, 1<<20)...)); err != nil {
			t.Errorf("the connection was closed while the client wrote: %v", err)
		}
		if got := <-code; got != gorilla.CloseMessageTooBig {
			t.Errorf("closed with %d, want %d", got, gorilla.CloseMessageTooBig)
		}
		c.Close()
		s.ended()
	})
}

func TestACallWaitsForAnotherToEnd(t *testing.T) {
	inMemoryWith(t, websocket.Limits{MaxCalls: 1, CallWait: time.Hour}, func(t *testing.T, s *server, c *client) {
		first := c.call(1, "probe.hang", "{}")
		time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
		c.Send(`{"jsonrpc":"2.0","id":2,"method":"probe.write"}`)
		synctest.Wait()
		close(s.probe.released)
		c.served(first)
		c.served(c.Subscribed("2"))
	})
}

// TestAfterOneCallHasWaitedOthersAreRefusedAtOnce: what follows may be what ends
// a call.
func TestAfterOneCallHasWaitedOthersAreRefusedAtOnce(t *testing.T) {
	inMemoryWith(t, websocket.Limits{MaxCalls: 1, CallWait: time.Second}, func(t *testing.T, s *server, c *client) {
		first := c.call(1, "probe.block", "{}")
		c.Item(first, "data")
		time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
		begin := time.Now()
		var sending sync.WaitGroup
		sending.Go(func() {
			for id := 2; id < 6; id++ {
				c.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.write"}`, id)
			}
			c.Send(`{"jsonrpc":"2.0","id":6,"method":"hub.call_unsub","params":[%d]}`, first)
		})
		for id := 2; id < 6; id++ {
			c.Rejected(fmt.Sprint(id), -32029)
		}
		c.Expect(`{"jsonrpc":"2.0","id":6,"result":true}`)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("answered after %v, want one wait", took)
		}
		sending.Wait()
		// The call has ended: the next one waits again, and finds room.
		time.Sleep(time.Millisecond)
		c.Send(`{"jsonrpc":"2.0","id":7,"method":"probe.write"}`)
		c.Item(c.Subscribed("7"), "data")
	})
}

func TestAClientThatPingsAfterTheCloseDoesNotHoldUpTheStop(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		time.Sleep(10 * time.Second)
		c.SetCloseHandler(func(int, string) error { return nil })
		begin := time.Now()
		stopped := s.stop(testkit.Patience)
		c.closedWith(gorilla.CloseGoingAway)
		pinger := make(chan struct{})
		go func() {
			defer close(pinger)
			err := error(nil)
			for err == nil {
				time.Sleep(500 * time.Millisecond)
				err = c.WriteControl(gorilla.PingMessage, nil, time.Now().Add(time.Second))
			}
		}()
		stopped.ends(t)
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("stopped after %v", took)
		}
		<-pinger
	})
}

// TestAClientThatCallsTooOftenIsAnsweredSlowly pipelines more calls than it may
// make at once: it gets every answer.
func TestAClientThatCallsTooOftenIsAnsweredSlowly(t *testing.T) {
	const calls, burst, rate = 1500, wire.MaxBatch, 100
	inMemoryWith(t, websocket.Limits{MaxCallsPerSecond: rate}, func(t *testing.T, s *server, c *client) {
		begin := time.Now()
		go func() { // ends with the calls
			for id := range calls {
				c.Send(`{"jsonrpc":"2.0","id":%d,"method":"none"}`, id)
			}
		}()
		for id := range calls {
			c.Rejected(strconv.Itoa(id), -32601)
		}
		if took, want := time.Since(begin), (calls-burst)*time.Second/rate; took < want-5*time.Millisecond || took > want {
			t.Errorf("answered after %v, want %v", took, want)
		}
	})
}

func TestPingsGoOnBesideAStream(t *testing.T) {
	t.Parallel()
	s := serve(t, websocket.Limits{PingInterval: 10 * time.Millisecond})
	c := s.dial()
	c.call(1, "probe.flood", `{"bytes":100}`)
	pings := 0
	c.SetPingHandler(func(string) error { pings++; return nil })
	for pings < 3 {
		c.Text()
	}
}

func TestAnIdlePeerIsClosedWhereAsked(t *testing.T) {
	const interval, idle = 100 * time.Millisecond, time.Second
	limits := websocket.Limits{PingInterval: interval, IdleTimeout: idle}
	inMemoryWith(t, limits, func(t *testing.T, s *server, c *client) {
		begin := time.Now()
		c.closedWith(gorilla.CloseNormalClosure)
		if took := time.Since(begin); took != idle {
			t.Errorf("closed after %v, want %v", took, idle)
		}
	})
	// One with a stream stays, whatever comes of it, until that ends.
	inMemoryWith(t, limits, func(t *testing.T, s *server, c *client) {
		sub := c.call(1, "probe.block", "{}")
		c.Item(sub, "data")
		begin, pings := time.Now(), 0
		c.SetPingHandler(func(string) error {
			if pings++; pings == 20 {
				c.Send(`{"jsonrpc":"2.0","id":2,"method":"hub.call_unsub","params":[%d]}`, sub)
			}
			return nil
		})
		c.closedWith(gorilla.CloseNormalClosure)
		if took := time.Since(begin); took < 20*interval+idle || took > 22*interval+idle {
			t.Errorf("closed after %v and %d pings", took, pings)
		}
	})
}
