// SPDX-License-Identifier: AGPL-3.0-only

// Package connect holds what the client of hubs and the client of registries
// share: the settings of a connection, which client.Option sets, and the waits
// between attempts.
package connect
