// SPDX-License-Identifier: AGPL-3.0-only

// Package config reads what an operator writes: the settings of the binary
// plexus-registry and the file backends.toml.
//
// [Parse] makes [Settings] of arguments and environment. Every setting is one
// field of that struct, whose tags name its flag, variable, default and rule;
// to add one is to add a field. What was written wrongly comes back as a
// [*UsageError], a wish for help or for the version as [ErrHelp] and
// [ErrVersion]. [ParseLevel] understands the log directives of Rust programs.
//
// [ParseBackends] makes a list of backends of the text of a backends.toml, and
// [ReadBackends] reads the file first. A file is taken whole or not at all: the
// first thing wrong with it comes back as a [*FileError], which knows the line.
//
// The package holds no state and looks at nothing of the process but what it
// is handed.
package config
