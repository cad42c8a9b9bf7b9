// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// maxDepth bounds how deep values are laid out: what is nested deeper is JSON in
// one line, as the indentation alone would grow with the square of the depth.
const maxDepth = 64

// tooDeep reports whether there is no room for anything below.
func tooDeep(indent string) bool { return len(indent) >= 2*maxDepth }

// readable writes a value for people: the members of an object line by line,
// lists of objects as tables.
func readable(value any) []byte {
	var buf bytes.Buffer
	switch v := value.(type) {
	case *object:
		if len(v.names) > 0 {
			writeMembers(&buf, "", v)
			return buf.Bytes()
		}
	case []any:
		if len(v) > 0 {
			writeElements(&buf, "", v)
			return buf.Bytes()
		}
	case string:
		return []byte(printable(v) + "\n")
	}
	buf.WriteString(scalar(value) + "\n")
	return buf.Bytes()
}

// writeMembers writes an object.
func writeMembers(buf *bytes.Buffer, indent string, o *object) {
	for _, name := range o.names {
		buf.WriteString(indent + oneLine(name) + ":")
		writeMember(buf, indent, o.values[name])
	}
}

// writeMember writes what follows a name or a dash: what is short stays in
// its line.
func writeMember(buf *bytes.Buffer, indent string, value any) {
	if tooDeep(indent) {
		buf.WriteString(" " + compact(value) + "\n")
		return
	}
	switch v := value.(type) {
	case *object:
		if len(v.names) > 0 {
			buf.WriteByte('\n')
			writeMembers(buf, indent+"  ", v)
			return
		}
	case []any:
		if len(v) > 0 {
			buf.WriteByte('\n')
			writeElements(buf, indent+"  ", v)
			return
		}
	case string:
		if text := strings.TrimSuffix(v, "\n"); strings.Contains(text, "\n") {
			buf.WriteByte('\n')
			for line := range strings.SplitSeq(text, "\n") {
				buf.WriteString(indent + "  " + printable(line) + "\n")
			}
			return
		}
	}
	buf.WriteString(" " + scalar(value) + "\n")
}

// writeElements writes a list.
func writeElements(buf *bytes.Buffer, indent string, list []any) {
	if head, rows := tableOf(list); rows != nil {
		if text := table(indent, head, rows, maxWidth); text != "" {
			buf.WriteString(text)
			return
		}
	}
	for _, element := range list {
		if o, ok := element.(*object); ok && len(o.names) > 0 && !tooDeep(indent) {
			// The first member stands beside the dash.
			var inner bytes.Buffer
			writeMembers(&inner, indent+"  ", o)
			buf.WriteString(indent + "- ")
			buf.Write(inner.Bytes()[len(indent)+2:])
			continue
		}
		buf.WriteString(indent + "-")
		writeMember(buf, indent, element)
	}
}

// scalar writes what fits a line.
func scalar(value any) string {
	text, isText := value.(string)
	if !isText || text == "" || strings.TrimSpace(text) != text {
		return compact(value)
	}
	return oneLine(text)
}

// compact writes a value as JSON.
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

// table lays out a table; empty where it is wider than maxWidth.
func table(indent string, head []string, rows [][]string, maxWidth int) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintln(w, indent+strings.Join(row, "\t"))
	}
	w.Flush()
	var text strings.Builder
	for line := range strings.Lines(b.String()) {
		line = strings.TrimRight(line, " \n")
		if utf8.RuneCountInString(line) > maxWidth {
			return ""
		}
		text.WriteString(line + "\n")
	}
	return text.String()
}
