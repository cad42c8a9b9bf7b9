// SPDX-License-Identifier: AGPL-3.0-only

// Package authority signs certificates for tests. Nothing else may trust it.
package authority
