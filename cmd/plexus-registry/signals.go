// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
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
