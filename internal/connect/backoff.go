// SPDX-License-Identifier: AGPL-3.0-only

package connect

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait before each attempt to connect.
type Backoff struct {
	Min, Max time.Duration
	last     time.Duration // 0 before the first
}

// Wait waits before the next attempt, or until ctx is done: twice as long as the
// last time, shortened at random, so that the clients of a hub that was
// restarted don't connect all at once.
//
// took is how long the last attempt took, with the connection if there was one.
// After a long connection the waits begin anew; a hub that closes each
// connection at once does not shorten them.
func (b *Backoff) Wait(ctx context.Context, took time.Duration, connected bool) {
	if connected && took >= 10*b.last {
		b.last = 0
	}
	b.last = min(max(2*b.last, b.Min), b.Max)
	wait := b.last/2 + rand.N(b.last/2+1) // #nosec G404 -- it spreads reconnections, and is no secret
	if !connected {
		wait = max(wait-took, wait/4) // the attempt was a wait too
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}
