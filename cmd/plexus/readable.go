// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"slices"
	"strings"

	"github.com/plexus-go/plexus/internal/helptext"
)

// maxDepth bounds how deep values are laid out: what is nested deeper is JSON in
// one line, as the indentation alone would grow with the square of the depth.
const maxDepth = 64

// readable writes a value for people: the members of an object line by line,
// lists of objects as tables.
func readable(value any) string {
	if text, ok := value.(string); ok {
		return printable(text) + "\n"
	}
	lines, _ := layOut(value, 0)
	return strings.Join(lines, "\n") + "\n"
}

// layOut writes a value as lines. block reports whether they stand below the
// name, or the dash, that the value follows.
func layOut(value any, depth int) (lines []string, block bool) {
	if depth > maxDepth {
		return []string{compact(value)}, false
	}
	follow := func(head string, value any) {
		inner, block := layOut(value, depth+1)
		if !block {
			lines = append(lines, head+" "+inner[0])
			return
		}
		lines = append(lines, head)
		for _, line := range inner {
			lines = append(lines, "  "+line)
		}
	}
	switch v := value.(type) {
	case *object:
		for _, name := range v.names {
			follow(oneLine(name)+":", v.values[name])
		}
	case []any:
		if head, rows := tableOf(v); rows != nil {
			if lines = table(head, rows, maxWidth-2*depth); lines != nil {
				return lines, true
			}
		}
		for _, element := range v {
			at := len(lines)
			follow("-", element)
			if _, ok := element.(*object); ok && len(lines) > at+1 {
				// The first member stands beside the dash.
				lines[at+1] = "- " + strings.TrimPrefix(lines[at+1], "  ")
				lines = slices.Delete(lines, at, at+1)
			}
		}
	case string:
		if text := strings.TrimSuffix(v, "\n"); strings.Contains(text, "\n") {
			return strings.Split(printable(text), "\n"), true
		}
	}
	if lines == nil {
		return []string{scalar(value)}, false
	}
	return lines, true
}

// scalar writes what fits a line.
func scalar(value any) string {
	text, isText := value.(string)
	if !isText || text == "" || strings.TrimSpace(text) != text {
		return compact(value)
	}
	return oneLine(text)
}

func compact(value any) string {
	encoded, err := encode(value)
	if err != nil {
		return "?" // what was parsed can be encoded
	}
	return printable(string(encoded))
}

// oneLine makes text that others sent fit a line.
func oneLine(text string) string {
	return printable(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\t' || r == '\r' }), " "))
}

const (
	maxColumns = 10
	// maxWidth is how wide a table may be; what is wider is a list.
	maxWidth = 120
)

// tableOf makes a table of a list of objects whose members are short; nil
// where they are not.
func tableOf(list []any) (head []string, rows [][]string) {
	if len(list) < 2 {
		return nil, nil
	}
	columns := map[string]int{}
	for _, element := range list {
		o, ok := element.(*object)
		if !ok {
			return nil, nil
		}
		for _, name := range o.names {
			switch v := o.values[name].(type) {
			case *object:
				return nil, nil
			case []any:
				if len(v) > 0 {
					return nil, nil
				}
			}
			if _, known := columns[name]; !known {
				columns[name] = len(head)
				head = append(head, strings.ToUpper(oneLine(name)))
			}
		}
		if len(head) == 0 || len(head) > maxColumns {
			return nil, nil
		}
	}
	for _, element := range list {
		o := element.(*object)
		row := make([]string, len(head))
		for _, name := range o.names {
			row[columns[name]] = scalar(o.values[name])
		}
		rows = append(rows, row)
	}
	return head, rows
}

// table lays out a table; nil where it is wider than maxWidth.
func table(head []string, rows [][]string, maxWidth int) []string {
	lines := helptext.Table(head, rows)
	if slices.ContainsFunc(lines, func(line string) bool { return helptext.Cells(line) > maxWidth }) {
		return nil
	}
	return lines
}
