// SPDX-License-Identifier: AGPL-3.0-only

package connect

import (
	"context"
	"math/rand/v2"
	"time"
)

// Repeat calls session, an attempt to connect and what follows, again and again
// until it was the last one or ctx is done.
//
// After each it waits, twice as long as the last time, shortened at random, so
// that the clients of a hub that was restarted don't connect all at once. After a
// long connection the waits begin anew; a hub that closes each connection at
// once does not shorten them.
func (s *Settings) Repeat(ctx context.Context, session func() (connected, last bool)) {
	var longest time.Duration // of the next wait; 0 before the first
	for ctx.Err() == nil {
		begun := time.Now()
		connected, last := session()
		if last {
			return
		}
		took := time.Since(begun)
		if connected && took >= 10*longest {
			longest = 0
		}
		longest = min(max(2*longest, s.MinWait), s.MaxWait)
		wait := longest/2 + rand.N(longest/2+1) // #nosec G404 -- it spreads reconnections, and is no secret
		if !connected {
			wait = max(wait-took, wait/4) // the attempt was a wait too
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}
