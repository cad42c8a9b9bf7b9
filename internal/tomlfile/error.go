// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"strconv"
	"strings"
	"unicode"
)

// Error is what is wrong with a file, and where. Its text is one line that begins
// with the path, and shows no values.
type Error struct {
	Path  string // as it was given
	Line  int    // from 1; 0 where none is meant
	Table string // the array that the table is of, as in [[Table]]; empty where none is meant
	Index int    // the number of the table in its array, from 1
	Name  string // what its key "name" is; empty where there is none that can be shown
	Err   error  // never nil
}

func (e *Error) Error() string {
	text := e.Path
	if e.Line > 0 {
		text += ":" + strconv.Itoa(e.Line)
	}
	switch {
	case e.Table == "":
	case e.Name != "":
		text += ": " + e.Table + " " + strconv.Quote(e.Name)
	default:
		text += ": " + e.Table + " " + strconv.Itoa(e.Index)
	}
	return oneLine(text + ": " + e.Err.Error())
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// oneLine replaces what would break a line, or a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// showable returns a name that can be shown, else nothing.
func showable(name string) string {
	const maxBytes = 255
	if len(name) > maxBytes || oneLine(name) != name {
		return ""
	}
	return name
}
