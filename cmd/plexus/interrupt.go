// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// untilSignal returns a context that is done at the first SIGINT or SIGTERM,
// with a signalError as its cause. From then on the next one has its usual
// effect. A reader that leaves is an error of a write, and no signal.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-signals:
			cancel(&signalError{s})
		case <-ctx.Done():
		}
		signal.Stop(signals)
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
		signal.Stop(broken)
	}
}

// grace is how long a command may take to end in order.
const grace = time.Second

// forcedExit ends the process where the command does not end by itself: a
// write to a pipe that nobody reads can't be broken off.
type forcedExit struct {
	stderr io.Writer
	off    atomic.Bool // the command ends in its own time
}

// after ends the process when grace is over since ctx was done, with the
// status of what cause makes of ctx; where that is nil, it does nothing. stop
// takes it back.
func (f *forcedExit) after(ctx context.Context, cause func() error) (stop func()) {
	stopped, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
		case <-stopped:
			return
		}
		err := cause()
		if err == nil || f.off.Load() {
			return
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			f.exit(ctx, err)
		case <-stopped:
		}
	}()
	return func() {
		close(stopped)
		<-ended
	}
}

// exit tells err and exits. Standard error may be blocked as well.
func (f *forcedExit) exit(ctx context.Context, err error) {
	told := make(chan int, 1)
	go func() { told <- status(ctx, err, f.stderr) }()
	timer := time.NewTimer(grace / 4)
	defer timer.Stop()
	select {
	case code := <-told:
		os.Exit(code)
	case <-timer.C:
		os.Exit(failed)
	}
}

// signalled is the cause of a context of untilSignal, if that is a signal.
func signalled(ctx context.Context) error {
	var interrupted *signalError
	if errors.As(context.Cause(ctx), &interrupted) {
		return interrupted
	}
	return nil
}

// errLate is what becomes of a command that is stuck when its time is over.
var errLate = errors.New("the time of --timeout is over, and the output is not taken")

// overtime is errLate, if ctx was done because its deadline has passed.
func overtime(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errLate
	}
	return nil
}
