// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/websocket"
)

// TestLargeItemsThatNobodyReadsShareTheMemoryLimit has many clients ask for large
// items and read nothing: few of the items are there at a time, those who hold
// one are closed sooner, the others are answered to try again, and whoever asks for
// little is not disturbed.
func TestLargeItemsThatNobodyReadsShareTheMemoryLimit(t *testing.T) {
	const clients, size = 30, 3 << 20
	s := serve(t, websocket.Limits{MaxMemoryBytes: 12 << 20, StallTimeout: 2 * time.Second})
	other := s.dial()
	other.Quiet()
	var stuck []*client
	for id := range clients {
		c := s.dial()
		c.Send(`{"jsonrpc":"2.0","id":%d,"method":"probe.filled","params":{"bytes":%d}}`, id, size)
		stuck = append(stuck, c)
	}
	held := int64(0)
	testkit.Eventually(t, "all to be refused or closed", func() bool {
		sub := other.call(1, "echo.once", `{"message":"undisturbed"}`)
		other.served(sub)
		n := s.Counts()
		held = max(held, n.Held)
		return n.Refused+n.Stalled >= clients-2 && n.Stalled > 0
	})
	t.Logf("%d KiB were held at most; %+v", held>>10, s.Counts())
	if held > 12<<20 {
		t.Errorf("%d bytes were held", held)
	}
	refused, closed := 0, 0
	for id, c := range stuck {
		c.SetReadDeadline(time.Now().Add(testkit.Patience))
		for refused+closed == id {
			_, text, err := c.ReadMessage()
			switch {
			case gorilla.IsCloseError(err, gorilla.ClosePolicyViolation, gorilla.CloseAbnormalClosure):
				closed++ // maybe in the middle of the item, where nothing can be said
			case err != nil:
				t.Fatal(err)
			case strings.Contains(string(text), `"code":"-32029"`):
				refused++
			case strings.Contains(string(text), `"type":"done"`):
				closed++ // it has read in time after all
			}
		}
	}
	if refused == 0 || closed == 0 {
		t.Errorf("%d were refused, %d closed", refused, closed)
	}
	testkit.Eventually(t, "the memory to be given back", func() bool { return s.Counts().Held == 0 })
	// Whoever reads gets all of it again.
	sub := other.call(2, "probe.filled", fmt.Sprintf(`{"bytes":%d}`, size))
	if f := other.Item(sub, "data"); len(f.Params.Result.Content) != size+2 {
		t.Errorf("%d bytes of content", len(f.Params.Result.Content))
	}
	other.Item(sub, "done")
}

// TestLargeItemsThatAreReadAllPass has more clients read large items than can
// be there at a time: each gets its item.
func TestLargeItemsThatAreReadAllPass(t *testing.T) {
	const clients, size = 8, 2 << 20
	s := serve(t, websocket.Limits{MaxMemoryBytes: 4 << 20, StallTimeout: testkit.Patience})
	done := make(chan error, clients)
	for id := range clients {
		c := s.dial()
		go func() {
			done <- func() error {
				request := `{"jsonrpc":"2.0","id":` + strconv.Itoa(id) + `,"method":"probe.filled","params":{"bytes":` + strconv.Itoa(size) + `}}`
				if err := c.WriteMessage(gorilla.TextMessage, []byte(request)); err != nil {
					return err
				}
				c.SetReadDeadline(time.Now().Add(testkit.Patience))
				for held := 0; ; {
					_, text, err := c.ReadMessage()
					if err != nil {
						return err
					}
					if held = max(held, len(text)); strings.Contains(string(text), `"type":"done"`) && held > size {
						return nil
					}
					if strings.Contains(string(text), `"type":"error"`) {
						return fmt.Errorf("%s", text)
					}
				}
			}()
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	testkit.Eventually(t, "the memory to be given back", func() bool { return s.Counts().Held == 0 })
}

// TestAnUnsubscribedItemNoLongerWaitsForMemory: the wait can be cancelled.
func TestAnUnsubscribedItemNoLongerWaitsForMemory(t *testing.T) {
	const size = 6 << 20
	const request = `{"jsonrpc":"2.0","id":1,"method":"probe.filled","params":{"bytes":%d}}`
	inMemoryWith(t, websocket.Limits{MaxMemoryBytes: 10 << 20, StallTimeout: time.Hour}, func(t *testing.T, s *server, stuck *client) {
		stuck.Send(request, size)
		synctest.Wait()
		if held := s.Counts().Held; held < size/2 {
			t.Fatalf("the first item holds %d bytes", held)
		}
		c := s.dial()
		time.Sleep(time.Millisecond) // ids of subscriptions need a clock that moves
		c.Send(request, size)
		sub := c.Subscribed("1")
		synctest.Wait() // the item waits for memory
		c.unsubscribed("hub.call_unsub", sub, true)
		c.Quiet()
		if n := s.Counts().Refused; n != 1 {
			t.Errorf("%d items no longer wait, want 1", n)
		}
		stuck.Close()
		synctest.Wait()
		if held := s.Counts().Held; held != 0 {
			t.Errorf("%d bytes are held by nobody", held)
		}
	})
}
