// SPDX-License-Identifier: AGPL-3.0-only

// Package socket is the network connection under a WebSocket, the same for
// servers and for clients.
//
// A [Conn] is given to the WebSocket library in place of the connection of the
// network. It does three things that the library does not:
//
//   - It gathers frames: what is written between [Conn.Cork] and [Conn.Uncork]
//     leaves in one write.
//   - It sets the deadlines. A peer that sends nothing for [Limits].Silence is
//     lost, and one that takes nothing for [Limits].Stall is stalled. A thin line
//     that takes something is neither, however long it needs: the kernel is asked
//     (unsent_linux.go). The Set…Deadline methods do nothing, so the library can't
//     interfere.
//   - It ends in an orderly way ([Conn.Finish], [Conn.CloseWrite], [Conn.Drain]),
//     or at once ([Conn.Abort]).
//
// [ReadMessage] reads a message of limited length.
package socket
