// SPDX-License-Identifier: AGPL-3.0-only

//go:build !unix

package main

import "os"

// columns is how wide a terminal is; 0 for not known.
func columns(*os.File) int { return 0 }
