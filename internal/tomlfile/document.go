// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Document is what a file holds: arrays of tables.
type Document struct {
	path   string
	mark   string // the byte order mark, if there is one
	text   string // without it
	blocks [][2]int
	tables map[string][]*Table
	used   map[[3]string]int // the lines of values that are to be unique, by array, key and value
}

// Parse reads a document that may hold arrays of tables with these names, and
// nothing else. They may be written as [[name]] or as name = [{…}]. The path is
// for the errors, which are all of type [*Error]. It may begin with a byte order
// mark.
func Parse(path string, data []byte, names ...string) (*Document, error) {
	d := &Document{path: path, tables: map[string][]*Table{}, used: map[[3]string]int{}}
	d.text = strings.TrimPrefix(string(data), "\ufeff")
	d.mark = string(data[:len(data)-len(d.text)])
	if err := d.parse(d.text, names); err != nil {
		err.Path = path
		return nil, err
	}
	return d, nil
}

// Tables returns the tables of an array, in the order of the file.
func (d *Document) Tables(name string) []*Table { return d.tables[name] }

func (d *Document) parse(text string, names []string) *Error {
	found, err := findPositions(text)
	if err != nil {
		return err
	}
	d.blocks = found.blocks
	values, err := decode(text)
	if err != nil {
		if found.unclosed > 0 { // the library notices at the end of the text
			err.Line = min(err.Line, found.unclosed)
		}
		return err
	}
	for _, key := range byLine(values, func(key string) int { return found.keys[key] }) {
		line := found.keys[key]
		if !slices.Contains(names, key) {
			return &Error{Line: line, Err: fmt.Errorf("unknown key %.64q: there may only be [[%s]] tables", key, strings.Join(names, "]] and [["))}
		}
		entries, ok := arrayOf(values[key])
		if !ok {
			return &Error{Line: line, Err: fmt.Errorf("%s is %s, not an array: write [[%s]]", key, kind(values[key]), key)}
		}
		for i, entry := range entries {
			t := &Table{document: d, array: key, title: fmt.Sprintf("%s %d", key, i+1), position: tablePosition{line: line}}
			if i < len(found.tables[key]) {
				t.position = found.tables[key][i]
			}
			if t.values, ok = entry.(map[string]any); !ok {
				return t.Fail("", fmt.Errorf("the entry is %s, not a table", kind(entry)))
			}
			const maxShown = 255 // bytes
			if name, _ := t.values["name"].(string); name != "" && len(name) <= maxShown && oneLine(name) == name {
				t.title = fmt.Sprintf("%s %q", key, name)
			}
			d.tables[key] = append(d.tables[key], t)
		}
	}
	return nil
}

func arrayOf(value any) (entries []any, ok bool) {
	switch value := value.(type) {
	case []any: // name = [{…}, {…}]
		return value, true
	case []map[string]any: // [[name]]
		for _, table := range value {
			entries = append(entries, table)
		}
		return entries, true
	}
	return nil, false
}

// decode parses TOML.
func decode(text string) (values map[string]any, failed *Error) {
	defer func() {
		// The library panics where it finds a bug of its own.
		if bug := recover(); bug != nil {
			values, failed = nil, &Error{Err: fmt.Errorf("cannot be parsed: %.200q", fmt.Sprint(bug))}
		}
	}()
	_, err := toml.Decode(text, &values)
	if syntax := (toml.ParseError{}); errors.As(err, &syntax) {
		// Its line is often one too many: it has read the end of the line already.
		last := syntax.Position.Start + syntax.Position.Len - 1
		line := 1 + strings.Count(text[:max(0, min(last, len(text)))], "\n")
		return nil, &Error{Line: line, Err: fmt.Errorf("%.200s", syntax.Message)}
	}
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("cannot be parsed: %.200s", err)}
	}
	return values, nil
}

// byLine returns the keys of values in the order of their lines.
func byLine(values map[string]any, line func(key string) int) []string {
	return slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(line(a), line(b)), strings.Compare(a, b))
	})
}

// kind names the TOML type of a decoded value, with its article.
func kind(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	case []any, []map[string]any:
		return "an array"
	}
	return fmt.Sprintf("a %T", value)
}
