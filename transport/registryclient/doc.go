// SPDX-License-Identifier: AGPL-3.0-only

// Package registryclient is the client of registries: it registers a hub, finds
// hubs by name, and follows what happens.
//
// [Register] keeps a hub registered until it is closed. A server of package
// transport does so by itself, with its WithRegistration:
//
//	r, err := registryclient.Register(ctx, registryclient.RegistryURL(os.Getenv), registryclient.Registration{
//		Name: "my-hub", Host: "127.0.0.1", Port: 4446,
//	})
//	…
//	defer r.Close()
//
// A [Resolver] finds hubs by name, from a cache that a watch of the registry
// keeps current, and [Watch] is a range over all changes.
//
// Other registries give no leases and can't be watched: there the hub is
// registered, and looked after, without a lease, and a Resolver asks for every
// name.
package registryclient
