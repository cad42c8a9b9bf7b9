// SPDX-License-Identifier: AGPL-3.0-only

// Package registry is the activation that knows which hubs exist, and where.
//
// Its truth is a storage.Store; reads are answered from a copy in memory that
// follows the store, so they cost no disk. A write is durable when it is
// answered, and visible to every read that begins after the answer. A write
// that was asked for is finished though its client has left.
//
// # Precedence
//
// Entries come from calls and from sources. One name has one entry, which has
// one owner; the first of these that names it:
//
//	owner                             source        how it names, and how it drops a name
//	a call (register, update)         manual, auto  until delete; in this run or an earlier one
//	the environment                   env           lists it; at the start and at reload
//	the file                          file          lists it; at the start, when it changes, at reload
//	discovery, and the hub itself     auto          it answered there; it never drops a name
//
// What follows from that, and nothing else, is done at each load of a source:
//
//   - A source never changes an entry whose owner stands above it.
//   - A source that names an entry whose owner stands below it takes it over:
//     the entry has its address from then on, and is active.
//   - When a source drops a name that it owns, the next one below that names it
//     takes the entry over at once. If none does, the entry is deactivated, and
//     kept; it is active again when a source names it again.
//   - A name that was deleted and is still listed returns at the next load of
//     the source that lists it, not before.
//   - A source that can't be loaded leaves everything as it is.
//   - Entries of the file and of the environment that another program has left
//     in the database stay until their source lists them for the first time.
//
// All that one load changes is one change of the store.
//
// # Health and leases
//
// With [WithHealth], every entry is asked for its name in every round. An entry
// that fails three times in a row, or answers under another name, is
// deactivated, and activated again when it answers rightly. An entry that said
// goodbye, was dropped by its source or let its lease expire is not activated
// by answering.
//
// An entry that was registered with a ttl is deactivated unless it is pinged or
// registered again within that time. Each such registration has a lease id;
// ping, deregister and delete that carry one touch no later registration.
//
// # Who may do what
//
// Callers need a scope for each method: see [ScopeRead], [ScopeWrite] and
// [ScopeAdmin]. One that holds "registry:write:team-a-*" can keep its own hubs
// registered and touch no other. Who has changed what, from where, is logged as
// lines whose message is "audit", without descriptions and metadata; pings only
// where they activate an entry, or are refused. One caller may register 10,000
// entries, unless [WithRegistrations] says another number.
package registry
