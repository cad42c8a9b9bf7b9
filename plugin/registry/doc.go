// SPDX-License-Identifier: AGPL-3.0-only

// Package registry is the activation that knows which hubs exist, and where.
//
// Its truth is a storage.Store; reads are answered from a copy in memory that
// follows the store, so they cost no disk. A write is durable when it is
// answered, and visible to every read that begins after the answer. A write
// that was asked for is finished though its client has left.
//
// Entries come in by calls of register and update, and from the sources that
// the registry is handed ([WithSource]), each of which lists backends anew
// whenever it is loaded. One name has one entry, and one owner: what was
// registered by a call, in this run or an earlier one, is never changed by a
// source.
package registry
