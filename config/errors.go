// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What [Parse] returns in place of settings when the user asked for something
// else than a run. The program should exit with success.
var (
	// ErrHelp says that --help was given; the text has been written.
	ErrHelp = errors.New("help was asked for")
	// ErrVersion says that --version was given; the program knows it.
	ErrVersion = errors.New("version was asked for")
)

// UsageError says which setting was given wrongly. Its text is one line.
type UsageError struct {
	Name  string // "--port" or "REGISTRY_PORT"; empty where no one setting is meant
	Value string // the refused value, quoted, shortened where it is long; empty for none
	Rule  string // "is not a whole number from 0 to 65535"
}

func (e *UsageError) Error() string {
	text := e.Rule
	if e.Value != "" {
		text = e.Value + " " + text
	}
	if e.Name != "" {
		text = e.Name + ": " + text
	}
	return oneLine(text)
}

// FileError says what is wrong with a file, and where. Its text is one line
// that begins with the file's path.
type FileError struct {
	File    string // the path as it was given
	Line    int    // from 1; 0 where no line is meant
	Index   int    // number of the backend in the file, from 1; 0 where none is meant
	Backend string // its name; empty where it has none that may be used
	Err     error  // never nil
}

func (e *FileError) Error() string {
	text := e.File
	if e.Line > 0 {
		text += ":" + strconv.Itoa(e.Line)
	}
	switch {
	case e.Backend != "":
		text += ": backend " + strconv.Quote(e.Backend)
	case e.Index > 0:
		text += ": backend " + strconv.Itoa(e.Index)
	}
	return oneLine(text + ": " + e.Err.Error())
}

// Unwrap returns e.Err.
func (e *FileError) Unwrap() error { return e.Err }

// Is tells whether target is a [*FileError] that says the same, so that what
// was reported once need not be reported again.
func (e *FileError) Is(target error) bool {
	other, ok := target.(*FileError)
	return ok && e.Error() == other.Error()
}

// oneLine keeps text from breaking a line, or a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// quote shows value with its control characters, shortened so that an error
// stays readable.
func quote(value string) string {
	const most = 64
	if len(value) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut] + "…"
	}
	return strconv.Quote(value)
}
