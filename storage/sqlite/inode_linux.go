// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"errors"
	"os"
	"syscall"
)

const (
	ofdSetLock = 37 // F_OFD_SETLK: a lock of the open file, not of the process
	// SQLite locks bytes behind the first GiB.
	lockedByte = 1 << 62
)

// lockInode locks a file, whatever path leads to it, until it is closed. It reports
// false where another one has the lock.
func lockInode(file *os.File) (locked bool, err error) {
	err = syscall.FcntlFlock(file.Fd(), ofdSetLock, &syscall.Flock_t{Type: syscall.F_WRLCK, Start: lockedByte, Len: 1})
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return false, nil
	}
	return err == nil, err
}
