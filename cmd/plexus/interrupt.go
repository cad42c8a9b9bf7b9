// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// untilSignal returns a context that is done at the first SIGINT or SIGTERM,
// with a signalError as its cause. From then on the next one has its usual
// effect. A reader that leaves is an error of a write, and no signal.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(parent)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case s := <-signals:
			cancel(&signalError{s})
		case <-ctx.Done():
		}
		signal.Stop(signals)
	})
	return ctx, func() {
		cancel(nil)
		watch.Wait()
	}
}

// grace is how long a command may take to end in order.
const grace = time.Second

// forceExit ends the process when ctx has been done for grace by a signal or by
// --timeout, and not because the command ended by itself: a write to a pipe that
// nobody reads can't be interrupted. stop takes it back.
func (c *command) forceExit(ctx context.Context) (stop func()) {
	stopped := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		if c.unforced.Load() || errors.Is(context.Cause(ctx), context.Canceled) {
			return
		}
		select {
		case <-time.After(grace):
			time.AfterFunc(grace/4, func() { os.Exit(failed) }) // standard error may be blocked as well
			os.Exit(status(ctx, errLate, c.printer.err))
		case <-stopped:
		}
	})
	return func() {
		cancel()
		close(stopped)
	}
}

// errLate is what becomes of a command that is stuck when its time is over.
var errLate = errors.New("the time of --timeout is over, and the output is not taken")
