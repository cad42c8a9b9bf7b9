// SPDX-License-Identifier: AGPL-3.0-only

// Package tomlfile reads the TOML files of an operator, which are lists of tables:
//
//	document, err := tomlfile.Parse("backends.toml", data, "backend")
//	for _, t := range document.Tables("backend") {
//		name, port := t.String("name"), t.Int("port")
//		t.Require("name", "port")
//		t.Unique("name")
//		if err := t.Err(); err != nil {
//			return err // backends.toml:12: backend "prod": port is a string, not an integer
//		}
//	}
//
// It is strict: a key that no caller asks for is an error, as is a value of another
// type, and the case of letters counts. Every error is an [*Error], which is one
// line and names the line of the file. Of several errors in a table, the one on
// the first line is reported.
//
// [Append] adds a table to the text of a file, and [Document.Without] takes one
// away.
//
// The decoding is that of BurntSushi/toml. It does not give the lines of keys:
// positions.go finds them, and rejects what the library would take too long for.
package tomlfile
