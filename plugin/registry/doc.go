// SPDX-License-Identifier: AGPL-3.0-only

// Package registry is the activation that knows which hubs exist, and where:
//
//	store, err := sqlite.Open(ctx, "registry.db")
//	…
//	reg, err := registry.New(ctx, store, registry.WithSource(file), registry.WithHealth(health))
//	…
//	defer reg.Close() // before the store
//	err = hub.Register(reg) // its methods are registry.register, registry.list, …
//
// The store has the truth; reads are answered from a copy in memory, and cost no
// disk. The store's watch alone changes that copy (view.go). A write (methods.go,
// write.go) is durable when it is answered, and every later read shows it. It is
// finished even if its client leaves. registry.watch (watch.go) tells clients of
// every change, with the events that all methods answer with (event.go).
//
// # Precedence
//
// One name has one entry. The entry has one owner, the first of these that names
// it:
//
//	owner                          source        names it                         drops it
//	a call of register or update   manual, auto  in this run or an earlier one    never (delete erases it)
//	the environment                env           at the start, at reload          when it no longer lists it
//	the file                       file          the same, and when it changes    when it no longer lists it
//	discovery, and the hub itself  auto          when it answers                  never
//
// Each load of a source (source.go) is applied by these rules (precedence.go):
//
//   - A source never changes an entry whose owner takes precedence.
//   - A source that names an entry of a lower owner takes it over: the entry gets
//     its address, and is active.
//   - When a source drops a name that it owns, the next owner below takes over at
//     once. If there is none, the entry is deactivated and kept, until a source
//     names it again.
//   - A deleted name returns when a source that lists it is loaded the next time.
//   - A source that can't be loaded changes nothing.
//   - Entries of the file and of the environment that another program has stored
//     stay until their source lists them for the first time.
//
// All that one load changes is one change of the store, if the store takes so
// many writes at once.
//
// # Health and leases
//
// An entry is active while there is no reason against it (storage.Reasons). Each
// reason is set and removed by itself.
//
// With [WithHealth], every entry is asked for its name in every round (health.go,
// condition.go). The health of an entry is critical when it has failed three times in
// a row, or answers under another name than before, until it answers correctly. One that
// registers again meanwhile is probed at once (recheck.go). Silence that is the fault
// of our own network does not count (outage.go). What probes hubs is in package
// transport/prober.
//
// An entry that is registered with a ttl expires unless it is pinged or registered
// again within that time (lease.go). Each such registration has a lease
// id; ping, deregister and delete with that id do not affect a later registration.
//
// # Access control
//
// Callers need a scope for each method: see [ScopeRead], [ScopeWrite] and
// [ScopeAdmin]. A caller with "registry:write:team-a-*" can keep its own hubs
// registered, and change no other. Every write, except a ping that only renews or
// finds no entry, is logged in a line with the message "audit": who has changed what,
// from which address (access.go). [WithRegistrations] limits how many entries one
// caller may register (quota.go).
package registry
