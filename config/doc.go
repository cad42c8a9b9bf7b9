// SPDX-License-Identifier: AGPL-3.0-only

// Package config reads what an operator writes: the settings of the binary
// plexus-registry, and the backends that the file backends.toml and the variable
// REGISTRY_BACKENDS list.
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
// [File] and [Env] are the two lists as sources of a registry: Load returns the
// whole of one, Changes tells when to load it again. A File is watched. What it
// holds is compared with what was loaded last ([File.Changes] has the loop), at
// every event in the directories that lead to it and several times a second. When
// it has been left alone for a while, and only then, it is loaded: half of a save
// is never in force, and a file that is empty or gone all of a sudden changes
// nothing.
//
// The package holds no state but that of its sources, and looks at nothing of the
// process but what it is handed.
package config
