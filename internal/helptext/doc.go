// SPDX-License-Identifier: AGPL-3.0-only

// Package helptext is the help of both programs: cobra asks it for the help of a
// command, and it lays out paragraphs, columns, flags and tables, by how wide text
// is on a terminal.
package helptext
