// SPDX-License-Identifier: AGPL-3.0-only

// Package storage defines what a registry stores, and the contract of the
// stores that keep it:
//
//	b := storage.Backend{Name: "prod", Host: "localhost", Port: 4444, …}
//	change, err := store.Apply(ctx, storage.Write{Backend: b, IfUnchanged: true}) // if there is none
//	b = *change.Entries[0].After
//	b.Port = 5555
//	_, err = store.Apply(ctx, storage.Write{Backend: b, IfUnchanged: true}) // if nobody else changed it
//	for change, err := range store.Watch(ctx, storage.Position{Revision: change.Revision}) {
//		…
//	}
//
// A [Backend] is one entry: the address of a hub and what is known about it
// (backend.go). A [Store] keeps them (store.go). It numbers its changes: one
// [Store.Apply] is one change with one revision. Revisions grow, also over
// restarts; a [Position] says whose revision it is. A write can depend on the
// revision that its writer has read, so that nobody overwrites what they have not
// seen, and [Store.Watch] yields the changes in the order of their revisions, each
// as a whole.
//
// The package imports nothing else of this module. The store that is used by
// default is storage/sqlite. Package storage/storagetest is the contract as a
// test suite, which every store passes.
package storage
