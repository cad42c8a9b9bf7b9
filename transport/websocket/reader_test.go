// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// beginning is the head of a text frame of so many bytes.
func beginning(bytes uint64) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{0x80 | textFrame, 0x80 | 127}, bytes), 0, 0, 0, 0)
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
			inMemoryWith(t, websocket.Limits{MaxMessageBytes: 2 << 20}, func(t *testing.T, s *server, c *client) {
				c.SetPingHandler(func(string) error { return nil }) // a pong would come inside the message
				c.SetReadDeadline(time.Time{})
				end := make(chan error, 1)
				go func() {
					_, _, err := c.ReadMessage()
					end <- err
				}()
				const size = 1 << 20
				message := once(1, size)
				begun := time.Now()
				c.write(append(beginning(size), message[0]))
				for sent := 1; sent < size; {
					time.Sleep(test.every)
					piece := message[sent:min(size, sent+test.piece)]
					if _, err := c.NetConn().Write([]byte(piece)); err != nil || test.piece == 0 {
						break
					}
					sent += len(piece)
				}
				err := <-end
				if !test.ends {
					if err != nil {
						t.Errorf("the connection has ended: %v", err)
					}
					return
				}
				if !gorilla.IsCloseError(err, gorilla.ClosePolicyViolation) {
					t.Errorf("closed with %v", err)
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

// TestHalfSentMessagesShareTheMemoryLimit has many clients send half of a large
// message: what all of them cost is bounded, and whoever sends small messages
// is not disturbed.
func TestHalfSentMessagesShareTheMemoryLimit(t *testing.T) {
	const clients, size = 50, 5 << 20
	s := serve(t, websocket.Limits{MaxMemoryBytes: 48 << 20, StallTimeout: time.Second})
	half := append(beginning(size), []byte(once(1, size)[:size/2])...)
	for range clients {
		c := s.dial()
		go c.NetConn().Write(half) // until the connection ends, since it is not all read
	}
	other := s.dial()
	testkit.Eventually(t, "messages to be refused or ended", func() bool {
		other.Quiet()
		n := s.Counts()
		if n.Held > 18<<20 {
			t.Fatalf("%d bytes are held", n.Held)
		}
		return n.Stalled+n.Refused >= clients-2
	})
	t.Logf("%+v", s.Counts())
	// Whoever sends whole messages can again.
	other.Send("%s", once(2, size))
	other.served(other.Subscribed("2"))
}

// TestLargeMessagesWaitForEachOther has many clients send large messages at
// once, of which few may be read at a time.
func TestLargeMessagesWaitForEachOther(t *testing.T) {
	const clients, size = 12, 1 << 20
	s := serve(t, websocket.Limits{MaxMessageBytes: 2 << 20, MaxMemoryBytes: 12 << 20, StallTimeout: testkit.Patience})
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
		c.Rejected("1", -32601)
		if err := <-ended; err != nil { // only one may write at a time
			t.Fatal(err)
		}
		c.Quiet()
	}
	testkit.Eventually(t, "the memory to be given back", func() bool { return s.Counts().Held == 0 })
}

// TestAHalfMessageIsHeld: what a message of no great size takes is counted
// before it is there.
func TestAHalfMessageIsHeld(t *testing.T) {
	inMemory(t, func(t *testing.T, s *server, c *client) {
		c.write(append(beginning(60<<10), once(1, 60<<10)[:20<<10]...))
		synctest.Wait()
		if n := s.Counts().Held; n != 64<<10 {
			t.Errorf("%d bytes are held", n)
		}
	})
}

// TestAClientThatWaitsForMemoryIsNotClosed: one that holds memory and sends
// nothing is closed, one that could send more but must wait for memory is not.
func TestAClientThatWaitsForMemoryIsNotClosed(t *testing.T) {
	limits := websocket.Limits{MaxMessageBytes: 1 << 20, MaxMemoryBytes: 3 << 20, MessageTimeout: time.Second, StallTimeout: 50 * time.Second}
	inMemoryWith(t, limits, func(t *testing.T, s *server, waits *client) {
		holds := s.dial()
		const size = 200 << 10
		message := strings.Repeat(" ", size) + `{"jsonrpc":"2.0","id":1,"method":"none"}`
		write := func(c *client, frame []byte) {
			c.write(frame)
			synctest.Wait()
		}
		write(waits, append(beginning(uint64(len(message))), message[:20<<10]...))
		write(holds, append(beginning(1<<20), once(1, 1<<20)[:512<<10]...))
		begin := time.Now()
		write(waits, []byte(message[20<<10:]))
		waits.Rejected("1", -32601)
		if took := time.Since(begin); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("answered after %v, want a fifth of the time to stall", took)
		}
		if got := holds.Closed(); got != gorilla.ClosePolicyViolation {
			t.Errorf("who held the memory is closed with %d", got)
		}
	})
}

// masked is a frame as a client puts it on the wire, with a mask of zeroes.
func masked(kind byte, final bool, payload []byte) []byte {
	f := append(beginning(uint64(len(payload))), payload...)
	f[0] = kind
	if final {
		f[0] |= 0x80
	}
	return f
}

const (
	textFrame     = 1
	continueFrame = 0
)

// once is a call of echo.once whose whole message has so many bytes.
func once(id, bytes int) string {
	head := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"echo.once","params":["`, id)
	return head + strings.Repeat("m", bytes-len(head)-len(`"]}`)) + `"]}`
}

func TestAMessageOverTheLimitIsRefusedAndTheConnectionLives(t *testing.T) {
	const limit = 100_000
	c := serve(t, websocket.Limits{MaxMessageBytes: limit}).dial()
	refusal := fmt.Sprintf(`{"jsonrpc":"2.0","id":null,"error":{"code":-32007,"message":"Request is too big","data":"Exceeded max limit of %d"}}`, limit)

	c.Send("%s", once(1, limit))
	c.served(c.Subscribed("1"))

	for _, size := range []int{limit + 1, 2 * limit, 8 * limit} {
		c.Send("%s", once(2, size))
		c.Expect("%s", refusal)
		c.Quiet()
	}

	message := []byte(once(3, limit+1))
	var fragments []byte
	for i, at := byte(textFrame), 0; at < len(message); i, at = continueFrame, at+999 {
		end := min(at+999, len(message))
		fragments = append(fragments, masked(i, end == len(message), message[at:end])...)
	}
	c.write(fragments)
	c.Expect("%s", refusal)
	c.Quiet()
}

func TestAMessageFarOverTheLimitClosesTheConnection(t *testing.T) {
	const limit = 100_000
	s := serve(t, websocket.Limits{MaxMessageBytes: limit})
	half := bytes.Repeat([]byte("m"), 5*limit)
	for name, sent := range map[string][]byte{
		"one frame":          masked(textFrame, true, bytes.Repeat(half, 2)),
		"fragments":          append(masked(textFrame, false, half), masked(continueFrame, true, half)...),
		"only its length":    beginning(1 << 40),
		"an impossible size": beginning(1 << 63),
	} {
		c := s.dial()
		if _, err := c.NetConn().Write(sent); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := c.Closed(); got != gorilla.CloseMessageTooBig {
			t.Errorf("%s: closed with %d, want %d", name, got, gorilla.CloseMessageTooBig)
		}
		c.Close()
	}
	testkit.Eventually(t, "the connections to end", func() bool { return s.Connections() == 0 })
}

func TestAnItemLargerThanTheQueuePasses(t *testing.T) {
	c := serve(t, websocket.Limits{StallTimeout: 2 * time.Second}).dial()
	const size, calls = 3 << 20, 2
	for id := range calls {
		c.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.large","params":{"bytes":%d}}`, id, size)
	}
	whole, done := 0, 0
	for done < calls {
		f := c.Next()
		switch {
		case f.Method == "":
		case f.Params.Result.Type == "data" && len(f.Params.Result.Content) == size+2:
			whole++
		case f.Params.Result.Type == "done":
			done++
		default:
			t.Fatalf("got %.200s", f.Text)
		}
	}
	if whole != calls {
		t.Errorf("%d whole items, want %d", whole, calls)
	}
	c.Quiet()
}
