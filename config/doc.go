// SPDX-License-Identifier: AGPL-3.0-only

// Package config reads the backends that an operator lists, for a registry:
//
//	env, err := config.NewEnv(os.Getenv("REGISTRY_BACKENDS"))
//	…
//	reg, err := registry.New(ctx, store,
//		registry.WithSource(config.NewFile("/etc/plexus/backends.toml")),
//		registry.WithSource(env))
//
// [File] is the file backends.toml, which is watched, and [Env] is the value of a
// variable. A file is taken as a whole or not at all: while anything in it is
// wrong, or it is being written, or it is missing or empty (but for comments) and
// was not before, the backends stay as they are, and the error names the file and
// the line.
package config
