// SPDX-License-Identifier: AGPL-3.0-only

// Package prober asks hubs for their names, for the health of a registry:
//
//	reg, err := registry.New(ctx, store, registry.WithHealth(prober.Health()))
//
// It tells a hub that is alive and refuses us, and a silence that may be the fault
// of our own network, from answers that show that a hub is gone. [New] is for probes
// with credentials from files.
package prober
