// SPDX-License-Identifier: AGPL-3.0-only

// Package address reads the addresses of hubs, which are ws:// and wss:// URLs
// that operators write into settings.
package address
