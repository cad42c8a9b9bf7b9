// SPDX-License-Identifier: AGPL-3.0-only

// Package echo is the smallest activation: one method that answers once and
// one that streams. It is an example to copy, and a subject for tests.
package echo
