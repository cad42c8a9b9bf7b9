// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/transport/websocket"
)

// beginning is the head of a text frame of so many bytes.
func beginning(bytes int) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{0x80 | textFrame, 0x80 | 127}, uint64(bytes)), 0, 0, 0, 0)
}

// over is a client that writes raw frames over a pipe, and discards what it is
// sent until the close frame, whose code it tells.
func (s *server) over(p *pipes) (ws *gorilla.Conn, code chan int) {
	s.t.Helper()
	c := s.dialWith(&gorilla.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		p.conns <- theirs
		return ours, nil
	}}, nil)
	s.t.Cleanup(func() { c.Close() })
	code = make(chan int, 1)
	c.SetPingHandler(func(string) error { return nil })
	go func() {
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				if frame, ok := err.(*gorilla.CloseError); ok {
					code <- frame.Code
				}
				close(code)
				return
			}
		}
	}()
	return c.Conn, code
}

func TestAMessageMustComeToItsEnd(t *testing.T) {
	for _, test := range []struct {
		name  string
		piece int
		every time.Duration
		ends  bool // with the connection
		after time.Duration
	}{
		{"a byte a second", 1, time.Second, true, 30 * time.Second},
		{"nothing any more", 0, 100 * time.Second, true, 70 * time.Second},
		{"a fast one", 100_000, time.Second, false, 0},
		{"a slow one", 17 << 10, time.Second, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				s := serveOn(t, websocket.Limits{MessageBytes: 2 << 20}, p)
				ws, code := s.over(p)
				const size = 1 << 20
				message := once(1, size)
				begun := time.Now()
				if _, err := ws.NetConn().Write(append(beginning(size), message[0])); err != nil {
					t.Fatal(err)
				}
				for sent := 1; sent < size; {
					time.Sleep(test.every)
					piece := message[sent:min(size, sent+test.piece)]
					if _, err := ws.NetConn().Write([]byte(piece)); err != nil || test.piece == 0 {
						break
					}
					sent += len(piece)
				}
				if !test.ends {
					synctest.Wait()
					if s.Connections() != 1 {
						t.Error("the connection has ended")
					}
					ws.Close()
					return
				}
				if got := <-code; got != gorilla.ClosePolicyViolation {
					t.Errorf("closed with %d", got)
				}
				if took := time.Since(begun); took < test.after || took > test.after+100*time.Second {
					t.Errorf("ended after %v", took)
				}
				s.ended()
				if n := s.Counts(); n.Stalled != 1 || n.Held != 0 {
					t.Errorf("%+v", n)
				}
			})
		})
	}
}

// TestHalfSentMessagesShareABudget has many clients send half of a large
// message: what all of them cost is bounded, and whoever sends small messages
// is not disturbed.
func TestHalfSentMessagesShareABudget(t *testing.T) {
	const clients, size = 50, 5 << 20
	s := serve(t, websocket.Limits{MemoryBytes: 48 << 20, StallTimeout: time.Second})
	half := append(beginning(size), []byte(once(1, size)[:size/2])...)
	for range clients {
		c := s.dial()
		go c.NetConn().Write(half) // until the connection ends, since it is not all read
	}
	other := s.dial()
	until(t, "messages to be refused or ended", func() bool {
		other.quiet()
		n := s.Counts()
		if n.Held > 18<<20 {
			t.Fatalf("%d bytes are held", n.Held)
		}
		return n.Stalled+n.Refused >= clients-2
	})
	t.Logf("%+v", s.Counts())
	// Whoever sends whole messages can again.
	other.send("%s", once(2, size))
	sub := other.subscribed("2")
	other.item(sub, "data")
	other.item(sub, "done")
}

// TestLargeMessagesWaitForEachOther has many clients send large messages at
// once, of which few may be read at a time.
func TestLargeMessagesWaitForEachOther(t *testing.T) {
	const clients, size = 12, 1 << 20
	s := serve(t, websocket.Limits{MessageBytes: 2 << 20, MemoryBytes: 12 << 20})
	padding := strings.Repeat(" ", size)
	sent := map[*client]chan error{}
	for range clients {
		c, ended := s.dial(), make(chan error, 1)
		sent[c] = ended
		go func() {
			ended <- c.WriteMessage(gorilla.TextMessage, []byte(padding+`{"jsonrpc":"2.0","id":1,"method":"none"}`))
		}()
	}
	for c, ended := range sent {
		c.refused("1", -32601)
		if err := <-ended; err != nil { // only one may write at a time
			t.Fatal(err)
		}
		c.quiet()
	}
	until(t, "the memory to be given back", func() bool { return s.Counts().Held == 0 })
}
