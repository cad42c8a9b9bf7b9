// SPDX-License-Identifier: AGPL-3.0-only

// Package load measures what a hub with a registry carries.
//
// [Run] registers backends of its own, keeps operations on them in flight over
// several connections, tells in a [Report] how many ended and how long they
// took, and removes the backends again, also when its context ends early.
//
// An operation is a call, from its request to the done of its stream. Frames
// are written and read as they are, without a client in between, whose work
// would count as the hub's. There are two ways to load:
//
//   - As fast as possible: each connection begins an operation when one ends.
//   - At a rate: each operation has a time at which it is to be sent, whatever
//     became of those before it, and its latency counts from that time. So a
//     hub that stalls is charged with all the operations that the stall held
//     up, and not just with those that it had already taken.
//
// A baseline is a bare server in this process that answers the same requests
// with frames of the same sizes, and does nothing else. It takes turns with
// the hub, so that whatever else the machine does meets both alike.
package load
