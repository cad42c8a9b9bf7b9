// SPDX-License-Identifier: AGPL-3.0-only

package connect

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestEveryAddressOfANameIsTried races addresses that behave as their names say.
func TestEveryAddressOfANameIsTried(t *testing.T) {
	for _, tt := range []struct {
		addresses, want string
		took            time.Duration
		timeout         time.Duration // 0 for 2 s
	}{
		{"good", "good", 0, 0},
		{"silent good", "good", attemptDelay, 0},
		{"refused good", "good", 0, 0},
		{"silent silent silent good", "good", 3 * attemptDelay, 0},
		{"silent good", "good", 100 * time.Millisecond, 300 * time.Millisecond},
		{"slow silent", "slow", time.Second, 0},
		{"slow good", "good", attemptDelay, 0},
		{"refused", "refused", 0, 0},
		{"silent refused", "refused", 2 * time.Second, 0},
		{"silent silent", "silent", 2 * time.Second, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			timeout := tt.timeout
			if timeout == 0 {
				timeout = 2 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			begin := time.Now()
			var mu sync.Mutex
			var ends []net.Conn
			conn, err := race(ctx, strings.Fields(tt.addresses), func(ctx context.Context, address string) (net.Conn, error) {
				switch address {
				case "refused":
					return nil, syscall.ECONNREFUSED
				case "silent":
					<-ctx.Done()
					return nil, ctx.Err()
				case "slow":
					time.Sleep(time.Second)
				}
				here, there := net.Pipe()
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, there)
				return named{here, address}, nil
			})
			got := "silent"
			if n, ok := conn.(named); ok {
				got = n.name
				n.Close()
			} else if errors.Is(err, syscall.ECONNREFUSED) {
				got = "refused"
			}
			if took := time.Since(begin); got != tt.want || tt.want != "good" && took < tt.took || tt.want == "good" && took > tt.took+time.Second {
				t.Errorf("%s: %s after %v (%v), want %s after %v", tt.addresses, got, took, err, tt.want, tt.took)
			}
			for _, there := range ends {
				_ = there.SetReadDeadline(time.Now().Add(time.Second))
				if _, err := there.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s: a connection is left open", tt.addresses)
				}
			}
		})
	}
}

type named struct {
	net.Conn
	name string
}
