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
	Table string // its array and name or number: backend "prod"; empty where none is meant
	Err   error  // never nil
}

func (e *Error) Error() string {
	text := e.Path
	if e.Line > 0 {
		text += ":" + strconv.Itoa(e.Line)
	}
	if e.Table != "" {
		text += ": " + e.Table
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
