// SPDX-License-Identifier: AGPL-3.0-only

// Package storage says what a registry keeps and what it asks of the place
// that keeps it.
//
// A [Backend] is one entry: the address of a hub and what is known about it.
// A [Store] is the truth about all of them. It numbers every change with a
// revision, store-wide and ever growing, even over restarts; a [Condition]
// compares revisions, so that an old owner can't remove a new registration,
// and [Store.Watch] replays changes in the order of their revisions.
//
// The package imports nothing else of this module. Package
// storage/sqlite is the store that is used by default, package
// storage/storagetest the contract as a test suite that every store passes.
package storage
