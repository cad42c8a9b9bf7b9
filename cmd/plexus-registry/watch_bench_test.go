// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/plexus-go/plexus/internal/testkit"
)

// BenchmarkWatch measures how long after its writer's answer a change has
// reached the last of many watchers, through real sockets.
func BenchmarkWatch(b *testing.B) {
	for _, watchers := range []int{100, 1000} {
		b.Run(fmt.Sprint(watchers), func(b *testing.B) { measureWatch(b, watchers) })
	}
}

func measureWatch(b *testing.B, watchers int) {
	url := serveHere(b)
	var received atomic.Int64
	all := make(chan time.Time, 1)
	var reading sync.WaitGroup
	defer reading.Wait()
	for range watchers {
		ws := testkit.Dial(b, url)
		defer ws.Close()
		ws.SetReadDeadline(time.Now().Add(5 * time.Minute))
		if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"registry_watch"}`)); err != nil {
			b.Fatal(err)
		}
		for range 2 { // the subscription, and the list
			if _, _, err := ws.ReadMessage(); err != nil {
				b.Fatal(err)
			}
		}
		reading.Go(func() {
			for {
				_, frame, err := ws.ReadMessage()
				if err != nil {
					return
				}
				if bytes.Contains(frame, []byte(`"backend_registered"`)) && received.Add(1) == int64(watchers) {
					all <- time.Now()
				}
			}
		})
	}
	writer := connect(b, url)
	var late []time.Duration
	for b.Loop() {
		received.Store(0)
		writer.register(b, benchEntry("watched"))
		answered := time.Now()
		late = append(late, max((<-all).Sub(answered), 0))
	}
	reportQuantiles(b, late)
}
