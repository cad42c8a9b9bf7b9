// SPDX-License-Identifier: AGPL-3.0-only

package socket

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentOf returns a function that tells how many bytes the kernel holds that the
// peer has not taken; nil where it does not tell.
func unsentOf(conn net.Conn) func() int {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return func() (n int) {
		_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }) // 0 of one that is closed
		return n
	}
}
