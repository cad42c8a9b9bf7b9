// SPDX-License-Identifier: AGPL-3.0-only

// Package house holds no code: its tests check that the project keeps its own
// rules, about which package may import which, and about what every file must have.
package house
