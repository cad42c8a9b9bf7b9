// SPDX-License-Identifier: AGPL-3.0-only

//go:build !unix

package main

import (
	"os"
	"syscall"
)

// writeSignals are those that end a program which can't write.
func writeSignals() []os.Signal { return []os.Signal{syscall.SIGPIPE} }
