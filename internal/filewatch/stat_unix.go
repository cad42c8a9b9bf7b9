// SPDX-License-Identifier: AGPL-3.0-only

//go:build unix

package filewatch

import (
	"io/fs"
	"syscall"
)

// Owner returns the user and the group of a file, where the system has them.
func Owner(info fs.FileInfo) (user, group int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// unlinked reports whether a file has no name any more.
func unlinked(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}
