// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"runtime"
	"time"

	"golang.org/x/time/rate"

	"github.com/plexus-go/plexus/internal/wire"
)

// rateLimiter slows down a client that makes more calls per second than it may:
// its next messages are not read for a while. Nothing is refused, so a client
// that sends a hundred thousand calls at once gets all of its answers.
type rateLimiter struct {
	*rate.Limiter
	row int // how many messages were served since the reader last yielded
}

const (
	// minWait is the shortest time to wait for; shorter ones add up.
	minWait = 5 * time.Millisecond
	// yieldEvery is how many messages a reader serves in a row before it lets
	// others run. Quick calls are run by the reader, which need never wait for
	// a client that has sent much.
	yieldEvery = 16
)

func newRateLimiter(perSecond int) rateLimiter {
	limit := rate.Limit(perSecond)
	if perSecond < 0 {
		limit = rate.Inf
	}
	// A batch must not ask for more than there can ever be.
	return rateLimiter{Limiter: rate.NewLimiter(limit, max(perSecond, wire.MaxBatch))}
}

// wait waits until a message of so many calls may be served, or stop is closed,
// and reports whether it had to.
func (l *rateLimiter) wait(calls int, stop <-chan struct{}) (waited bool) {
	if l.row++; l.row >= yieldEvery {
		l.row = 0
		runtime.Gosched()
	}
	delay := l.ReserveN(time.Now(), calls).Delay()
	if delay < minWait {
		return false
	}
	l.row = 0
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop: // what was sent before is still to be served, and soon
	}
	return true
}
