// SPDX-License-Identifier: AGPL-3.0-only

// Package storagetest is the contract of [storage.Store] as a test suite. A
// store's own tests call [Run]:
//
//	func TestContract(t *testing.T) {
//		storagetest.Run(t, storagetest.Harness{
//			Open: func(t *testing.T) storage.Store { return mystore.New() },
//		})
//	}
//
// Each sub-test is named for what it asks: what is kept (roundtrip.go), when a
// write happens (conditions.go), how changes are numbered (revisions.go), what
// watchers see (watch.go) and how a store ends (closing.go).
package storagetest
