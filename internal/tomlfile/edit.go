// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// emptyArray matches a line that says that an array has no tables.
var emptyArray = regexp.MustCompile(`^\x{feff}?[ \t]*` + part + `[ \t]*=[ \t]*\[[ \t]*\][ \t]*(?:#.*)?\r?\n?$`)

// Append returns the text of a document with one more table of an array at its
// end, as [[name]]. The rest of it stays as it is, comments included, but for a
// line name = [], in place of which the table is. Whether the result is valid is
// for the caller to see: it is not where the array was written as name = [{…}].
func Append(text []byte, name string, table map[string]any) ([]byte, error) {
	out := &bytes.Buffer{}
	found, _ := findPositions(strings.TrimPrefix(string(text), "\ufeff")) // an error is for the caller, too
	number := 0
	for line := range bytes.Lines(text) {
		if number++; number == found.keys[name] && emptyArray.Match(line) {
			line = line[:len(line)-len(bytes.TrimPrefix(line, []byte("\ufeff")))]
		}
		out.Write(line)
	}
	if out.Len() > 0 {
		if !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteByte('\n')
		}
		if len(bytes.TrimSpace(bytes.TrimPrefix(out.Bytes(), []byte("\ufeff")))) > 0 {
			out.WriteByte('\n')
		}
	}
	encoder := toml.NewEncoder(out)
	encoder.Indent = ""
	err := encoder.Encode(map[string]any{name: []map[string]any{table}})
	return out.Bytes(), err
}

// Without returns the text of the document without one of its tables: its header,
// its keys, and the blank line before. Comments before and behind it stay. It is an
// error if the table is not written as [[name]].
func (d *Document) Without(t *Table) ([]byte, error) {
	at := slices.IndexFunc(d.blocks, func(block [2]int) bool { return block[0] == t.position.line })
	if at < 0 {
		return nil, t.Fail("", errors.New("is written within "+t.array+" = […], and can only be removed by hand"))
	}
	lines := slices.Collect(strings.Lines(d.text))
	first, last := d.blocks[at][0]-1, d.blocks[at][1]
	if first > 0 && strings.TrimSpace(lines[first-1]) == "" {
		first--
	}
	return []byte(d.mark + strings.Join(slices.Delete(lines, first, last), "")), nil
}
