// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"bytes"

	"github.com/BurntSushi/toml"
)

// Append returns the text of a document with one more table of an array at its
// end, as [[name]]. The rest of it stays as it is, comments included. Whether the
// result is valid is for the caller to see: it is not where the array was written
// as name = [{…}].
func Append(text []byte, name string, table map[string]any) ([]byte, error) {
	out := bytes.NewBuffer(bytes.Clone(text))
	if len(text) > 0 {
		if !bytes.HasSuffix(text, []byte("\n")) {
			out.WriteByte('\n')
		}
		out.WriteByte('\n')
	}
	encoder := toml.NewEncoder(out)
	encoder.Indent = ""
	err := encoder.Encode(map[string]any{name: []map[string]any{table}})
	return out.Bytes(), err
}
