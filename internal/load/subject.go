// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// subject is a server that is measured: the hub, or the baseline.
type subject struct {
	blend    []share
	requests []request // one for each of the blend
	backends int
	window   int     // operations in flight on each connection
	share    int     // the connections that the rate is shared by
	rate     float64 // of all together; 0 for as many as come through
	timeout  time.Duration
	tls      *tls.Config // nil for the default

	begun       time.Time // its clock's zero
	seed        maphash.Seed
	tally       *tally
	connections []*connection
	active      time.Duration // how long it was under load
	scheduled   time.Duration // how much of that the rate's schedule covers
}

func newSubject(o *Options, requests []request) *subject {
	blend := o.Operation.blend()
	return &subject{
		blend: blend, requests: requests, backends: max(1, o.Backends),
		window: o.InFlight, share: o.Connections, rate: o.Rate, timeout: o.Timeout, tls: o.TLS,
		begun: time.Now(), seed: maphash.MakeSeed(), tally: newTally(len(blend)),
	}
}

func (s *subject) now() time.Duration { return time.Since(s.begun) }

// connect makes so many connections. They are there to be closed even if it
// fails.
func (s *subject) connect(ctx context.Context, url string, header http.Header, n int) error {
	var mu sync.Mutex
	return each(ctx, n, func(i int) error {
		ws, err := dial(ctx, url, header, s.tls, s.timeout)
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, n, err)
		}
		c := newConnection(s, i, ws)
		mu.Lock()
		defer mu.Unlock()
		s.connections = append(s.connections, c)
		return nil
	})
}

func dial(ctx context.Context, url string, header http.Header, config *tls.Config, timeout time.Duration) (*websocket.Conn, error) {
	dialer := websocket.Dialer{TLSClientConfig: config, HandshakeTimeout: timeout}
	ws, response, err := dialer.DialContext(ctx, url, header)
	if err != nil && response != nil {
		err = fmt.Errorf("%w: the answer is %s", err, response.Status)
	}
	return ws, err
}

func (s *subject) close() {
	var group sync.WaitGroup
	for _, c := range s.connections {
		group.Go(c.close)
	}
	group.Wait()
}

// load puts the server under load for so long, and waits until all that was
// begun has ended. It returns how many operations a second ended well.
func (s *subject) load(ctx context.Context, length time.Duration) (perSecond float64) {
	begin, before := s.now(), s.tally.count()
	var group sync.WaitGroup
	for _, c := range s.connections {
		group.Go(func() {
			c.writing.Lock()
			_ = c.ws.SetWriteDeadline(time.Now().Add(length + s.timeout)) // fails never
			c.writing.Unlock()
			if s.rate > 0 {
				c.pace(ctx, begin, length)
				c.drain(ctx, begin+length)
				return
			}
			c.until.Store(int64(begin + length))
			defer context.AfterFunc(ctx, func() { c.until.Store(0) })()
			c.begin()
			c.drain(ctx, begin+length)
		})
	}
	group.Wait()
	took := s.now() - begin
	s.active += took
	s.scheduled += length
	return divide(float64(s.tally.count()-before), took.Seconds())
}

// reset forgets a warm-up.
func (s *subject) reset() {
	s.tally.reset()
	s.active, s.scheduled = 0, 0
}

// begin fills the slots; the reader keeps them full.
func (c *connection) begin() {
	for range c.window {
		now := c.now()
		if now >= time.Duration(c.until.Load()) || c.isDead() {
			return
		}
		select {
		case at := <-c.free:
			c.send(at, now)
		case <-c.dead:
			return
		}
	}
}

// timerSlack is what an operation may be late because the machine woke its
// sender late, without being charged for it: the timers of an idle process are
// that coarse, and the server has no part in it.
const timerSlack = 2 * time.Millisecond

// catchUp is how long after its end a load may go on sending what it is behind
// with, if it was as long itself.
const catchUp = time.Second

// pace sends the connection's share of the operations at their times, by a
// schedule that goes on from load to load. One whose time has come while all
// slots are taken is sent late, and counts from its time nevertheless.
func (c *connection) pace(ctx context.Context, begin, length time.Duration) {
	end := begin + length
	// Late is better than never, within bounds.
	last := end + min(length, catchUp) + timerSlack
	timer := time.NewTimer(0)
	defer timer.Stop()
	expired := time.NewTimer(last - c.now())
	defer expired.Stop()
	var woke time.Duration
	for n := c.first(); ; n += int64(c.share) {
		due := begin + c.time(n) - c.scheduled
		if due >= end {
			return
		}
		if wait := due - c.now(); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
			woke = c.now()
		}
		if c.now() >= last {
			c.tally.unsent(pick(c.blend, c.random), last-due)
			continue
		}
		select {
		case at := <-c.free:
			c.send(at, max(due, min(woke, due+timerSlack)))
		case <-c.dead:
			c.tally.failure(c.lost)
		case <-expired.C:
			c.tally.unsent(pick(c.blend, c.random), last-due)
		case <-ctx.Done():
			return
		}
	}
}

// first returns the connection's first operation that was not due yet.
func (c *connection) first() int64 {
	n := int64(math.Ceil(c.scheduled.Seconds() * c.rate))
	share := int64(c.share)
	return n + ((int64(c.index)-n)%share+share)%share
}

// time returns when operation n is due, on the schedule.
func (s *subject) time(n int64) time.Duration {
	return time.Duration(float64(n) / s.rate * float64(time.Second))
}
