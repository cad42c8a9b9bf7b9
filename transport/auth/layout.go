// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"regexp"
	"strings"
)

// The tables of a file of tokens.
const (
	kindToken       = "token"
	kindCertificate = "certificate"
)

// layout tells on which lines of a file of tokens things are, for the errors
// only: the toml library keeps that to itself. It knows the usual way to write
// such a file, a key a line; for others it knows no line.
type layout struct {
	tables map[string][]place // by kind; "" has one, with the keys of no table
}

// place is where one table is.
type place struct {
	line int
	keys map[string]int // the lines of the keys, where each is first seen
}

// sketch draws the layout of text.
func sketch(text string) layout {
	var (
		header = regexp.MustCompile(`^[ \t]*\[\[[ \t]*(token|certificate)[ \t]*\]\]`)
		other  = regexp.MustCompile(`^[ \t]*\[*[ \t]*["']?([^"'=.\[\]\s]+)`)
	)
	l := layout{tables: map[string][]place{"": {{keys: map[string]int{}}}}}
	keys := l.tables[""][0].keys
	number := 0
	for line := range strings.Lines(text) {
		number++
		if found := header.FindStringSubmatch(line); found != nil {
			keys = map[string]int{}
			l.tables[found[1]] = append(l.tables[found[1]], place{number, keys})
			continue
		}
		found := other.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "[") { // any other table
			keys = l.tables[""][0].keys
		}
		if _, ok := keys[found[1]]; !ok {
			keys[found[1]] = number
		}
	}
	return l
}

// expect forgets the tables of a kind if there are not so many: some were
// written in another way, or what was found is within a string.
func (l layout) expect(kind string, count int) {
	if len(l.tables[kind]) != count {
		delete(l.tables, kind)
	}
}

// of returns the line of a key in the table of a kind with that index, or that
// of the table, or 0 if that is not known.
func (l layout) of(kind string, index int, key string) int {
	if index >= len(l.tables[kind]) {
		return 0
	}
	at := l.tables[kind][index]
	if line, ok := at.keys[key]; ok {
		return line
	}
	return at.line
}
