// SPDX-License-Identifier: AGPL-3.0-only

// Package connect holds what the client of hubs and the client of registries
// share: the settings of a connection, which client.Option sets, the waits
// between attempts, and addresses.
package connect
