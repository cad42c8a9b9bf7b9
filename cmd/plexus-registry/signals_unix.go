// SPDX-License-Identifier: AGPL-3.0-only

//go:build unix

package main

import (
	"os"
	"syscall"
)

// writeSignals are those that end a program which writes to a pipe that nobody
// reads, or more than a file may hold, and the one that stops a job in the
// background which writes to a terminal. Where they are ignored, the first two
// writes fail, and the third does not wait.
func writeSignals() []os.Signal {
	return []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ, syscall.SIGTTOU}
}
