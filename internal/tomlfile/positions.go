// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"fmt"
	"slices"
	"strings"
)

// maxDepth is how deep values may be nested, and how many parts a key may have.
// A few are of use; the toml library recurses without a bound, and takes time and
// memory by the square of a key's parts.
const maxDepth = 64

// positions are the lines of the keys of a document, which the toml library does
// not give. They match what the library decodes from the same text, where that is
// valid.
type positions struct {
	keys   map[string]int             // the top-level keys, where each is first seen
	tables map[string][]tablePosition // in the order of the file
}

// tablePosition is where one table of an array of tables is.
type tablePosition struct {
	line int            // of its [[name]], or of its {
	keys map[string]int // the lines of its keys, where each is first seen
}

// findPositions finds the keys in text, and those in the arrays of tables with
// the given names. It gives up without an error where the text is not TOML, and
// only there, since the library says it better.
func findPositions(text string, names []string) (positions, *Error) {
	f := finder{text: text, line: 1, names: names, found: positions{map[string]int{}, map[string][]tablePosition{}}}
	f.document()
	return f.found, f.err
}

// finder walks over a document. It understands just enough of TOML to find keys
// and to tell them from what is within strings and comments.
type finder struct {
	text  string // what is left
	line  int    // of its first byte
	names []string
	found positions
	err   *Error
}

// stop ends the walk: every loop ends where no text is left.
func (f *finder) stop() { f.text = "" }

// tooDeep gives up on what the library must not see.
func (f *finder) tooDeep(format string) {
	if f.err == nil {
		f.err = &Error{Line: f.line, Err: fmt.Errorf(format, maxDepth)}
	}
	f.stop()
}

func (f *finder) document() {
	var table []string
	for f.skip(); f.text != ""; f.skip() {
		line := f.line
		switch {
		case f.take("[["):
			table = f.key()
			if f.isArray(table) {
				f.begin(table[0], line)
			}
			f.note(table, line)
			f.need("]]")
		case f.take("["):
			table = f.key()
			f.note(table, line)
			f.need("]")
		default:
			f.pair(table, 1)
		}
	}
}

// pair walks over a key and its value.
func (f *finder) pair(table []string, depth int) {
	line := f.line
	path := append(table[:len(table):len(table)], f.key()...)
	f.note(path, line)
	f.need("=")
	f.value(path, depth)
}

// value walks over the value at path, depth values deep.
func (f *finder) value(path []string, depth int) {
	if depth > maxDepth {
		f.tooDeep("values are nested more than %d deep")
	}
	f.skip()
	switch {
	case f.text == "":
	case f.text[0] == '"' || f.text[0] == '\'':
		f.quoted()
	case f.take("["):
		tables := depth == 1 && f.isArray(path)
		for f.skip(); f.text != "" && !f.take("]"); f.skip() {
			if f.take(",") {
				continue
			}
			if tables {
				f.begin(path[0], f.line)
			}
			f.value(path, depth+1)
		}
	case f.take("{"):
		for f.skip(); f.text != "" && !f.take("}"); f.skip() {
			if !f.take(",") {
				f.pair(path, depth+1)
			}
		}
	default:
		// A number, date or boolean; a date may have a space in it.
		end := strings.IndexAny(f.text, ",]}#\n")
		if end <= 0 { // no value, or no line to end it
			f.stop()
			return
		}
		f.text = f.text[end:]
	}
}

// key walks over a key, and the space around it, and returns its parts.
func (f *finder) key() []string {
	var parts []string
	for {
		f.text = strings.TrimLeft(f.text, " \t")
		if f.text != "" && (f.text[0] == '"' || f.text[0] == '\'') {
			parts = append(parts, unquote(f.quoted()))
		} else {
			end := strings.IndexAny(f.text, " \t\r\n.=,[]{}#\"'")
			if end < 0 { // a key is never last
				f.stop()
				return nil
			}
			parts = append(parts, f.text[:end])
			f.text = f.text[end:]
		}
		f.text = strings.TrimLeft(f.text, " \t")
		if !f.take(".") {
			return parts
		}
		if len(parts) == maxDepth {
			f.tooDeep("a key has more than %d parts")
			return nil
		}
	}
}

// quoted walks over a string of any of the four kinds and returns it as it is
// written.
func (f *finder) quoted() string {
	mark := f.text[:1]
	long := strings.HasPrefix(f.text, mark+mark+mark)
	if long {
		mark = f.text[:3]
	}
	for i := len(mark); i < len(f.text); i++ {
		switch {
		case strings.HasPrefix(f.text[i:], mark):
			i += len(mark)
			// A long string may end in up to two quotes of its own.
			for more := 0; long && more < 2 && i < len(f.text) && f.text[i] == mark[0]; more++ {
				i++
			}
			written := f.text[:i]
			f.text = f.text[i:]
			return written
		case f.text[i] == '\n' && !long:
			f.stop()
			return ""
		case f.text[i] == '\n':
			f.line++
		case f.text[i] == '\\' && mark[0] == '"' && i+1 < len(f.text) && f.text[i+1] != '\n':
			i++
		}
	}
	f.stop()
	return ""
}

// unquote returns the text of a quoted key.
func unquote(written string) string {
	values, _ := decode("key = " + written)
	text, _ := values["key"].(string)
	return text
}

// skip walks over space, line ends and comments.
func (f *finder) skip() {
	for f.text != "" {
		switch f.text[0] {
		case '\n':
			f.line++
			f.text = f.text[1:]
		case ' ', '\t', '\r':
			f.text = f.text[1:]
		case '#':
			end := strings.IndexByte(f.text, '\n')
			if end < 0 {
				f.stop()
				return
			}
			f.text = f.text[end:]
		default:
			return
		}
	}
}

// take walks over token, if it comes next.
func (f *finder) take(token string) bool {
	rest, ok := strings.CutPrefix(f.text, token)
	f.text = rest
	return ok
}

// need walks over token, which must come next in any valid document.
func (f *finder) need(token string) {
	if !f.take(token) {
		f.stop()
	}
}

// isArray reports whether path is that of an array of tables whose keys are to be
// found.
func (f *finder) isArray(path []string) bool {
	return len(path) == 1 && slices.Contains(f.names, path[0])
}

// begin starts the next table of an array.
func (f *finder) begin(name string, line int) {
	f.found.tables[name] = append(f.found.tables[name], tablePosition{line, map[string]int{}})
}

// note remembers where the key at path is first seen.
func (f *finder) note(path []string, line int) {
	first := func(lines map[string]int, key string) {
		if _, ok := lines[key]; !ok {
			lines[key] = line
		}
	}
	if len(path) > 0 {
		first(f.found.keys, path[0])
	}
	if len(path) > 1 {
		if tables := f.found.tables[path[0]]; len(tables) > 0 {
			first(tables[len(tables)-1].keys, path[1])
		}
	}
}
