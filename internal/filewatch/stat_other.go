// SPDX-License-Identifier: AGPL-3.0-only

//go:build !unix

package filewatch

import "io/fs"

// Owner returns the user and the group of a file, where the system has them.
func Owner(fs.FileInfo) (user, group int, ok bool) { return 0, 0, false }

// Links returns how many names a file has, and 1 where that is not known.
func Links(fs.FileInfo) uint64 { return 1 }
