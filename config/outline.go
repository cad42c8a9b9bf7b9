// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"fmt"
	"strings"
)

// maxDepth bounds how deep values of a file may be nested. Four levels are of
// use; the toml library recurses without a bound.
const maxDepth = 64

// outline tells where in a TOML document things are, which the toml library
// keeps to itself. It matches what the library decodes from the same text,
// where that is valid.
type outline struct {
	keys     map[string]int // the lines of the top-level keys, where each is first seen
	backends []place        // in the order of the file
}

// place is where one backend is.
type place struct {
	line int            // of its [[backend]], or of its {
	keys map[string]int // the lines of its keys, where each is first seen
}

// of returns the line of a key, or that of the backend for a key that is not there.
func (p place) of(key string) int {
	if line, ok := p.keys[key]; ok {
		return line
	}
	return p.line
}

// sketch draws the outline of text. It gives up quietly where the text is not
// TOML, and only there, since the library says it better. The error is a
// [*FileError] without a file.
func sketch(text string) (outline, error) {
	s := sketcher{text: text, line: 1, drawn: outline{keys: map[string]int{}}}
	s.document()
	return s.drawn, s.err
}

// sketcher walks over a document. It understands just enough of TOML to find
// keys and to tell them from what is within strings and comments.
type sketcher struct {
	text  string // what is left
	line  int    // of its first byte
	drawn outline
	err   error
}

// stop ends the walk: every loop ends where no text is left.
func (s *sketcher) stop() { s.text = "" }

// tooDeep gives up on what the library must not see.
func (s *sketcher) tooDeep(format string) {
	if s.err == nil {
		s.err = &FileError{Line: s.line, Err: fmt.Errorf(format, maxDepth)}
	}
	s.stop()
}

func (s *sketcher) document() {
	var table []string
	for s.skip(); s.text != ""; s.skip() {
		line := s.line
		switch {
		case s.take("[["):
			table = s.key()
			if len(table) == 1 && table[0] == "backend" {
				s.begin(line)
			}
			s.note(table, line)
			s.need("]]")
		case s.take("["):
			table = s.key()
			s.note(table, line)
			s.need("]")
		default:
			s.pair(table, 1)
		}
	}
}

// pair walks over a key and its value.
func (s *sketcher) pair(table []string, depth int) {
	line := s.line
	path := append(table[:len(table):len(table)], s.key()...)
	s.note(path, line)
	s.need("=")
	s.value(path, depth)
}

// value walks over the value at path, depth values deep.
func (s *sketcher) value(path []string, depth int) {
	if depth > maxDepth {
		s.tooDeep("values are nested more than %d deep")
	}
	s.skip()
	switch {
	case s.text == "":
	case s.text[0] == '"' || s.text[0] == '\'':
		s.quoted()
	case s.take("["):
		backends := depth == 1 && len(path) == 1 && path[0] == "backend"
		for s.skip(); s.text != "" && !s.take("]"); s.skip() {
			if s.take(",") {
				continue
			}
			if backends {
				s.begin(s.line)
			}
			s.value(path, depth+1)
		}
	case s.take("{"):
		for s.skip(); s.text != "" && !s.take("}"); s.skip() {
			if !s.take(",") {
				s.pair(path, depth+1)
			}
		}
	default:
		// A number, date or boolean; a date may have a space in it.
		end := strings.IndexAny(s.text, ",]}#\n")
		if end <= 0 { // no value, or no line to end it
			s.stop()
			return
		}
		s.text = s.text[end:]
	}
}

// key walks over a key, and the space around it, and returns its parts.
func (s *sketcher) key() []string {
	var parts []string
	for {
		s.text = strings.TrimLeft(s.text, " \t")
		if s.text != "" && (s.text[0] == '"' || s.text[0] == '\'') {
			parts = append(parts, unquote(s.quoted()))
		} else {
			end := strings.IndexAny(s.text, " \t\r\n.=,[]{}#\"'")
			if end < 0 { // a key is never last
				s.stop()
				return nil
			}
			parts = append(parts, s.text[:end])
			s.text = s.text[end:]
		}
		s.text = strings.TrimLeft(s.text, " \t")
		if !s.take(".") {
			return parts
		}
		if len(parts) == maxDepth {
			// The library takes time and memory by the square of this.
			s.tooDeep("a key has more than %d parts")
			return nil
		}
	}
}

// quoted walks over a string of any of the four kinds and returns it as it is
// written.
func (s *sketcher) quoted() string {
	mark := s.text[:1]
	long := strings.HasPrefix(s.text, mark+mark+mark)
	if long {
		mark = s.text[:3]
	}
	for i := len(mark); i < len(s.text); i++ {
		switch {
		case strings.HasPrefix(s.text[i:], mark):
			i += len(mark)
			// A long string may end in up to two quotes of its own.
			for more := 0; long && more < 2 && i < len(s.text) && s.text[i] == mark[0]; more++ {
				i++
			}
			written := s.text[:i]
			s.text = s.text[i:]
			return written
		case s.text[i] == '\n' && !long:
			s.stop()
			return ""
		case s.text[i] == '\n':
			s.line++
		case s.text[i] == '\\' && mark[0] == '"' && i+1 < len(s.text) && s.text[i+1] != '\n':
			i++
		}
	}
	s.stop()
	return ""
}

// unquote returns the text of a quoted key.
func unquote(written string) string {
	if len(written) < 2 {
		return written
	}
	inner := written[1 : len(written)-1]
	if written[0] == '\'' || !strings.Contains(inner, `\`) {
		return inner
	}
	document, err := decode("key = " + written)
	if text, ok := document["key"].(string); ok && err == nil {
		return text
	}
	return inner
}

// skip walks over space, line ends and comments.
func (s *sketcher) skip() {
	for s.text != "" {
		switch s.text[0] {
		case '\n':
			s.line++
			s.text = s.text[1:]
		case ' ', '\t', '\r':
			s.text = s.text[1:]
		case '#':
			end := strings.IndexByte(s.text, '\n')
			if end < 0 {
				s.stop()
				return
			}
			s.text = s.text[end:]
		default:
			return
		}
	}
}

// take walks over token, if it comes next.
func (s *sketcher) take(token string) bool {
	rest, ok := strings.CutPrefix(s.text, token)
	s.text = rest
	return ok
}

// need walks over token, which must come next in any valid document.
func (s *sketcher) need(token string) {
	if !s.take(token) {
		s.stop()
	}
}

// begin starts the next backend.
func (s *sketcher) begin(line int) {
	s.drawn.backends = append(s.drawn.backends, place{line: line, keys: map[string]int{}})
}

// note remembers where the key at path is first seen.
func (s *sketcher) note(path []string, line int) {
	first := func(lines map[string]int, key string) {
		if _, ok := lines[key]; !ok {
			lines[key] = line
		}
	}
	if len(path) > 0 {
		first(s.drawn.keys, path[0])
	}
	if count := len(s.drawn.backends); count > 0 && len(path) > 1 && path[0] == "backend" {
		first(s.drawn.backends[count-1].keys, path[1])
	}
}
