// SPDX-License-Identifier: AGPL-3.0-only

//go:build unix

package main

import (
	"os"
	"syscall"
)

// writeSignals are those that end a program which writes to a pipe that nobody
// reads, or more than a file may hold. Where they are ignored, the write fails.
func writeSignals() []os.Signal { return []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ} }
