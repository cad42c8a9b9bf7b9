// SPDX-License-Identifier: AGPL-3.0-only

//go:build !linux

package socket

import "net"

func unsentOf(net.Conn) func() int { return nil }
