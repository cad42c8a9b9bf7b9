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

// Next returns the next wait: twice the last one, shortened at random, so that
// the clients of a hub that was restarted don't come all at once.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.Min), b.Max)
	return b.last/2 + rand.N(b.last/2+1) // #nosec G404 -- it spreads reconnections, and is no secret
}

// Lasted notes how long a connection lasted. After a long one the waits begin
// anew; a hub that closes each connection at once does not shorten them.
func (b *Backoff) Lasted(d time.Duration) {
	if d >= 10*b.last {
		b.last = 0
	}
}

// Wait waits before the next attempt, or until ctx is done. The last attempt
// took so long, the connection included if there was one.
func (b *Backoff) Wait(ctx context.Context, took time.Duration, connected bool) {
	if connected {
		b.Lasted(took)
	}
	wait := b.Next()
	if !connected {
		wait = max(wait-took, wait/4) // the attempt was a wait too
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}
