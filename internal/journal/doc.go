// SPDX-License-Identifier: AGPL-3.0-only

// Package journal keeps what a test has logged.
package journal
