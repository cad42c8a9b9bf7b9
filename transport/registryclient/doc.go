// SPDX-License-Identifier: AGPL-3.0-only

// Package registryclient registers a hub in a registry, finds hubs by name, and
// follows what changes. A hub stays registered until the Registrar is closed:
//
//	r, err := registryclient.Register(ctx, "", registryclient.Registration{
//		Name: "my-hub", Host: "127.0.0.1", Port: 4446,
//	})
//	…
//	defer r.Close()
//
// A server of package transport does this with its option WithRegistration. A
// [Resolver] finds hubs by name, from a cache that a watch of the registry keeps
// current, and [Watch] is a range over all changes.
//
// The URL of the registry may be empty everywhere: then it is looked for where
// PLEXUS_REGISTRY_URL says, or at ws://127.0.0.1:4445, then ws://127.0.0.1:4444,
// see [URLs]. A token, cookie or header goes to the first of them only.
//
// Other registries give no leases and can't be watched: there a hub is kept
// registered without a lease, and a Resolver asks for every name. Where a registry
// can't register a name that it has, the entry is updated: it keeps its version and
// metadata. Connections are those of package client.
//
// # Files
//
// locate.go finds and connects to a registry, whose answers registry.go reads.
// register.go and keep.go keep a hub registered. follow.go watches a registry for
// watch.go and resolver.go.
package registryclient
