// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// signals are what the program does at signals, from its first line to its last:
// none of them has its usual effect, which is to end the program, in between.
type signals struct {
	// stop is done at the first SIGINT or SIGTERM. The next one ends the program
	// at once.
	stop context.Context
	// hangup receives SIGHUP; several that nobody has taken are one.
	hangup chan os.Signal
}

// stopWithin is how long a stop may take, without the last of the log: longer than the
// server takes at most.
const stopWithin = 8500 * time.Millisecond

// within runs the program, which ends by itself after the signal to stop. Where it does
// not in time, as a disk has stalled, it is left behind, to end with the process.
func (s *signals) within(run func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	select {
	case err := <-ended:
		return err
	case <-s.stop.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(stopWithin):
		return fmt.Errorf("stopped after %v without the end of its writes: those that were not answered may not be stored", stopWithin)
	}
}

func catchSignals() *signals {
	signal.Ignore(writeSignals()...)
	ctx, cancel := context.WithCancel(context.Background())
	s := &signals{ctx, make(chan os.Signal, 1)}
	signal.Notify(s.hangup, syscall.SIGHUP)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() { // it may last as long as the process
		<-stop
		// Before anybody can see that it is ending: a second signal that comes
		// then must not be lost.
		signal.Stop(stop)
		cancel()
	}()
	return s
}
