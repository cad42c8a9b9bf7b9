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

// Links returns how many names a file has, and 1 where that is not known.
func Links(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Nlink)
	}
	return 1
}
