// SPDX-License-Identifier: AGPL-3.0-only

// Package settings holds the settings of the program plexus-registry, and reads
// them from flags and variables:
//
//	s := settings.NewRegistry()
//	s.Table.AddTo(command) // a *cobra.Command
//	…
//	if err := s.Read(os.Getenv); err != nil {
//		return err // invalid value for --port: 70000 (must be 0–65535)
//	}
//
// A [Table] has a row for each setting: its name, variable, help, and a [Value]
// that checks a text and puts it where it is used, such as a field of
// [transport.Limits]. What is there when the table is made is the default. To add
// a setting is to add a row (registry.go, token.go) and, where its kind is new, a
// check (values.go).
//
// A flag takes precedence over its variable, and that over the default; a variable
// that is empty counts as not set.
package settings
