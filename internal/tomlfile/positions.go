// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"fmt"
	"regexp"
	"strings"
)

// maxDepth is how deep values may be nested, and how many parts a key may have.
// A few are of use; the toml library recurses until the stack overflows, and takes
// time and memory by the square of a key's parts.
const maxDepth = 64

// positions are the lines of the keys of a document, which the toml library does
// not give. What is written within one value, as in name = [{…}], is on the line
// where that begins.
type positions struct {
	keys   map[string]int             // the top-level keys, where each is first seen
	tables map[string][]tablePosition // those written as [[name]], in the order of the file
	header []string                   // the first two parts of the last header

	blocks [][2]int // the first and last lines of each header with its keys

	unclosed int // where a string over several lines begins that has no end; 0 for none
}

// tablePosition is where one table of an array of tables is.
type tablePosition struct {
	line int            // of its [[name]]
	keys map[string]int // the lines of its keys, where each is first seen
}

var (
	// opaque matches strings of the four kinds. A string without an end is one up
	// to where the library gives up; at the end of the text, a group matches.
	opaque = regexp.MustCompile(`(?s)^(?:"""(?:\\.|[^\\])*?(?:"{3,5}|(\z))|'''.*?(?:'{3,5}|(\z))|"(?:\\[^\n]|[^"\\\n])*"?|'[^'\n]*'?)`)
	// statement matches the brackets, and the first two parts of the key, that a
	// header or a pair begins with.
	statement = regexp.MustCompile(`^[ \t]*(\[?\[?)[ \t]*` + part + `[ \t]*(?:\.[ \t]*` + part + `)?`)
)

const part = `([\w-]+|"(?:\\[^\n]|[^"\\\n])*"|'[^'\n]*')`

// findPositions finds the keys in text. It is an error, with its line, where a
// document is too deep for the library.
func findPositions(text string) (positions, *Error) {
	found := positions{keys: map[string]int{}, tables: map[string][]tablePosition{}}
	found.statement(text, 1)
	line, depth, dots := 1, 0, 0
	for {
		at := strings.IndexAny(text, "\"'#[]{}.,=\n")
		if at < 0 {
			return found, nil
		}
		text = text[at:]
		matched := text[:1]
		switch matched {
		case "#": // of which files may have many
			if end := strings.IndexByte(text, '\n'); end >= 0 {
				matched = text[:end]
			} else {
				matched = text
			}
		case `"`, "'":
			at := opaque.FindStringSubmatchIndex(text)
			matched = text[:at[1]]
			if at[2] >= 0 || at[4] >= 0 {
				found.unclosed = line
			}
		}
		text = text[len(matched):]
		line += strings.Count(matched, "\n")
		if last := len(found.blocks) - 1; last >= 0 && matched != "\n" && matched[0] != '#' {
			found.blocks[last][1] = line
		}
		switch matched {
		case ".":
			dots++
		case "[", "{":
			depth, dots = depth+1, 0
		case "]", "}":
			depth, dots = depth-1, 0
		case ",", "=":
			dots = 0
		case "\n":
			dots = 0
			if depth == 0 {
				found.statement(text, line)
			}
		}
		if depth > maxDepth {
			return found, &Error{Line: line, Err: fmt.Errorf("values are nested more than %d deep", maxDepth)}
		}
		if dots >= maxDepth {
			return found, &Error{Line: line, Err: fmt.Errorf("a key has more than %d parts", maxDepth)}
		}
	}
}

// statement notes the keys of the statement that text begins with, if any.
func (p *positions) statement(text string, line int) {
	if strings.HasPrefix(text, "\n") || strings.HasPrefix(text, "#") {
		return // as most lines of a long file; to match them takes longer
	}
	parts := statement.FindStringSubmatch(text)
	if parts == nil {
		return
	}
	path := []string{unquote(parts[2])}
	if parts[3] != "" {
		path = append(path, unquote(parts[3]))
	}
	if parts[1] != "" {
		p.blocks = append(p.blocks, [2]int{line, line})
	}
	switch parts[1] {
	case "":
		path = append(p.header[:len(p.header):len(p.header)], path...)
	case "[[":
		if p.header = path; len(path) == 1 {
			p.tables[path[0]] = append(p.tables[path[0]], tablePosition{line, map[string]int{}})
		}
	default:
		p.header = path
	}
	note(p.keys, path[0], line)
	if tables := p.tables[path[0]]; len(path) > 1 && len(tables) > 0 {
		note(tables[len(tables)-1].keys, path[1], line)
	}
}

// note notes the line of a key that is first seen.
func note(lines map[string]int, key string, line int) {
	if _, ok := lines[key]; !ok {
		lines[key] = line
	}
}

// unquote returns the text of a key.
func unquote(key string) string {
	if !strings.ContainsAny(key, `"'`) {
		return key
	}
	values, _ := decode("key = " + key)
	text, _ := values["key"].(string)
	return text
}
