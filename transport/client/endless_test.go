// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// TestAnEndlessAnswerToTheUpgradeIsCutOff answers with a status line, or with
// headers, that never end.
func TestAnEndlessAnswerToTheUpgradeIsCutOff(t *testing.T) {
	for _, begin := range []string{"HTTP/1.1 101 ", "HTTP/1.1 101 Switching Protocols\r\nX: "} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		written := make(chan int, 1)
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				written <- 0
				return
			}
			defer conn.Close()
			n, _ := conn.Write([]byte(begin))
			for block := []byte(strings.Repeat("x", 64<<10)); err == nil && n < 1<<30; {
				var more int
				more, err = conn.Write(block)
				n += more
			}
			written <- n
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = Info(ctx, "ws://"+listener.Addr().String())
		if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "too long") {
			t.Errorf("after %q: %v", begin, err)
		}
		// What the kernel buffers of both ends take, and not a gigabyte.
		if n := <-written; n > 64<<20 {
			t.Errorf("after %q: %d bytes were taken", begin, n)
		}
	}
}
