// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"runtime"
	"time"

	"golang.org/x/time/rate"

	"github.com/plexus-go/plexus/internal/wire"
)

// pace slows down a client that asks for more calls a second than it may: its
// next frames are not read for a while. Nothing is refused, so a client that
// sends a hundred thousand calls at once gets all of its answers.
type pace struct {
	limiter *rate.Limiter // nil for no limit
	row     int           // how many messages were served since the reader last yielded
}

const (
	// leastWait is what is not worth waiting for: it adds up.
	leastWait = 5 * time.Millisecond
	// yieldEvery is how many messages a reader serves in a row before it lets
	// others run. Quick calls are run by the reader, which need never wait for
	// a client that has sent much.
	yieldEvery = 16
)

func newPace(perSecond int) pace {
	if perSecond < 0 {
		return pace{}
	}
	// A batch must not ask for more than there can ever be.
	return pace{limiter: rate.NewLimiter(rate.Limit(perSecond), max(perSecond, wire.MaxBatch))}
}

// wait waits until a message of so many calls may be served, or stop is closed,
// and tells whether it had to.
func (p *pace) wait(calls int, stop <-chan struct{}) (waited bool) {
	if p.row++; p.row >= yieldEvery {
		p.row = 0
		runtime.Gosched()
	}
	if p.limiter == nil {
		return false
	}
	delay := p.limiter.ReserveN(time.Now(), calls).Delay()
	if delay < leastWait {
		return false
	}
	p.row = 0
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop: // what was sent before is still to be served, and soon
	}
	return true
}
