// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// masked is a frame as a client puts it on the wire, with a mask of zeroes.
func masked(kind byte, final bool, payload []byte) []byte {
	if final {
		kind |= 0x80
	}
	f := []byte{kind, 0x80 | 127}
	f = binary.BigEndian.AppendUint64(f, uint64(len(payload)))
	return append(append(f, 0, 0, 0, 0), payload...)
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
	if _, err := c.NetConn().Write(fragments); err != nil {
		t.Fatal(err)
	}
	c.Expect("%s", refusal)
	c.Quiet()
}

func TestAMessageFarOverTheLimitClosesTheConnection(t *testing.T) {
	const limit = 100_000
	s := serve(t, websocket.Limits{MaxMessageBytes: limit})
	half := bytes.Repeat([]byte("m"), 5*limit)
	huge := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 1<<63)
	for name, sent := range map[string][]byte{
		"one frame":          masked(textFrame, true, bytes.Repeat(half, 2)),
		"fragments":          append(masked(textFrame, false, half), masked(continueFrame, true, half)...),
		"only its length":    masked(textFrame, true, half[:0])[:2:2],
		"an impossible size": append(huge, 0, 0, 0, 0),
	} {
		c := s.dial()
		if name == "only its length" {
			sent = append(binary.BigEndian.AppendUint64(sent, 1<<40), 0, 0, 0, 0)
		}
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
