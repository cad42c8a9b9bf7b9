// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// benchmark keeps operations in flight. There are two ways to load:
//
//   - As fast as possible: each worker begins an operation when its last one
//     has ended.
//   - At a rate: each operation has a time at which it is to be sent, whatever
//     became of those before it, and its latency counts from that time. So a
//     hub that stalls is charged with all operations that the stall held up,
//     and not only with those that it had already taken.
type benchmark struct {
	*benchOptions
	shares  []share
	hubs    *hubs
	first   *hub   // prepares; it is not measured
	prefix  string // of the names of the backends
	clients []*client.Client
	tally   *tally
	began   time.Time
}

func (b *benchmark) now() time.Duration { return time.Since(b.began) }

// interruptTimeout is how long operations may take to end when the run is
// interrupted.
const interruptTimeout = 2 * time.Second

// load puts the hub under load for so long, waits until all that was begun has
// ended, and returns how long that took.
func (b *benchmark) load(ctx context.Context, length time.Duration) (took time.Duration) {
	begin := b.now()
	calls, cancel := context.WithTimeout(context.WithoutCancel(ctx), length+b.timeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(interruptTimeout, cancel) })()
	due := make(chan time.Duration)
	var workers sync.WaitGroup
	for _, c := range b.clients {
		for range b.InFlight {
			workers.Go(func() {
				for b.Rate == 0 && ctx.Err() == nil && b.now() < begin+length && b.do(calls, c, b.now()) {
				}
				for origin := range due {
					b.do(calls, c, origin)
				}
			})
		}
	}
	if b.Rate > 0 {
		b.pace(ctx, begin, length, due)
	}
	close(due)
	workers.Wait()
	return b.now() - begin
}

// timerSlack is what an operation may be late because the machine woke the
// sender late, without being charged for it: the timers of an idle process are
// that coarse, and the hub has no part in it.
const timerSlack = 2 * time.Millisecond

// maxCatchUp is how long after its end a load may go on sending what it is
// behind with, if it was as long itself.
const maxCatchUp = time.Second

// pace hands the operations to the workers at their times. One whose time has
// come while all workers are busy is sent late, and counts from its time
// nevertheless.
func (b *benchmark) pace(ctx context.Context, begin, length time.Duration, due chan<- time.Duration) {
	last := begin + length + min(length, maxCatchUp) + timerSlack
	sending, cancel := context.WithTimeout(ctx, last-b.now())
	defer cancel()
	var woke time.Duration
	for n := 0; ; n++ {
		at := begin + time.Duration(float64(n)/b.Rate*float64(time.Second))
		if at >= begin+length {
			return
		}
		if wait := at - b.now(); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			woke = b.now()
		}
		if sending.Err() == nil {
			select {
			case due <- max(at, min(woke, at+timerSlack)):
				continue
			case <-sending.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		b.tally.add(b.pick(), last-at, unsent)
	}
}

// do makes an operation whose latency counts from origin. It reports whether
// the connection is still there.
func (b *benchmark) do(ctx context.Context, c *client.Client, origin time.Duration) bool {
	kind := b.pick()
	err := b.operate(ctx, c, kind)
	b.tally.add(kind, b.now()-origin, errorKind(err))
	return !errors.Is(err, client.ErrLost)
}

// pick chooses one of the shares, by its index.
func (b *benchmark) pick() int {
	left := rand.IntN(100) // #nosec G404 -- it is no secret
	for i, s := range b.shares {
		if left -= s.Percent; left < 0 {
			return i
		}
	}
	return 0
}

// pageLimit is how many backends a page of a list has at most.
const pageLimit = 100

// contentError is a failure that the hub reports in a content.
type contentError struct{ kind, message string }

func (e *contentError) Error() string { return cmp.Or(e.message, e.kind) }

// operate makes one operation, from its request to the end of its stream.
func (b *benchmark) operate(ctx context.Context, c *client.Client, kind int) error {
	i := rand.IntN(b.Backends) // #nosec G404 -- it is no secret
	switch op := b.shares[kind].Operation; op {
	case "info":
		_, err := c.Info(ctx)
		return err
	case "list":
		return callToEnd(ctx, c, "registry.list", map[string]int{"limit": pageLimit})
	case "register":
		return callToEnd(ctx, c, "registry.register", b.registration(i))
	default:
		return callToEnd(ctx, c, "registry."+string(op), map[string]string{"name": b.name(i)})
	}
}

// callToEnd makes a call to the end of its stream.
func callToEnd(ctx context.Context, c *client.Client, method string, params any) (failure error) {
	data := false
	for item, err := range c.Call(ctx, method, params) {
		switch {
		case isRecoverable(err):
			failure = err
		case err != nil:
			return err
		case item.Kind == plugin.KindData:
			data = true
			failure = cmp.Or(failure, contentFailure(dataOf(&item)))
		}
	}
	if failure == nil && !data {
		return client.ErrNoData
	}
	return failure
}

// contentFailure is the error that a content reports; nil for none.
func contentFailure(content []byte) error {
	const maxFailure = 1 << 10 // those that are longer are none
	switch {
	case len(content) > maxFailure:
	case bytes.Contains(content, []byte(`"type":"error"`)):
		return &contentError{"registry error", problem(content)}
	case bytes.Contains(content, []byte(`"backend":null`)), bytes.Contains(content, []byte(`"success":false`)):
		return &contentError{kind: "no such backend"}
	}
	return nil
}

// errorKind is what a failed operation is counted under; empty for success.
func errorKind(err error) string {
	var content *contentError
	var answered *client.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &content):
		return content.kind
	case errors.As(err, &answered) && answered.ErrorCode() != 0:
		return fmt.Sprintf("error %d", answered.ErrorCode())
	case errors.As(err, &answered):
		return "error"
	case errors.Is(err, client.ErrNoData):
		return "no data"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "timed out"
	case errors.Is(err, client.ErrProtocol):
		return "unreadable frame"
	}
	return "connection lost"
}
