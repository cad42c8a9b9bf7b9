// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// The writer is busy when the range is broken off, and the client closed.
func TestStreamsAreUnsubscribedFromThoughTheClientIsClosedAtOnce(t *testing.T) {
	for range 20 { // which of two things comes first is left to chance
		synctest.Test(t, func(t *testing.T) {
			var methods []string
			p := pretendByPipe(t, func(c *peer) {
				c.Info("h")
				c.Called("7")
				c.Item("7", data("1"))
				time.Sleep(500 * time.Millisecond) // the pipe holds nothing: the writer waits
				for r := c.Next(); r != nil; r = c.Next() {
					methods = append(methods, r.Method)
				}
			})
			c := dialPipe(t, p)
			for _, err := range c.Call(context.Background(), "x.y", nil) {
				if err != nil {
					t.Fatal(err)
				}
				go gathered(c.Call(context.Background(), "x.z", nil)) // keeps the writer busy
				synctest.Wait()
				break
			}
			c.Close()
			synctest.Wait()
			if !slices.Contains(methods, "h.call_unsub") {
				t.Fatalf("the hub has received %q", methods)
			}
		})
	}
}
