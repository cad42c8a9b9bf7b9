// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkTag finds what the tags of a field ask for and do not get. Package reflect
// passes over a tag that is malformed; an option of json that changes the JSON in
// another way than omitempty and omitzero do would not show in the schema.
func checkTag(f reflect.StructField) error {
	seen := map[string]bool{}
	for rest := strings.TrimLeft(string(f.Tag), " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		key, after, _ := strings.Cut(rest, ":")
		value, err := strconv.QuotedPrefix(after)
		text, _ := strconv.Unquote(value)
		if err != nil || value[0] != '"' || key == "" || strings.ContainsAny(key, " \"") || seen[key] || !utf8.ValidString(value+text) {
			return fmt.Errorf("malformed tag `%s`", f.Tag)
		}
		seen[key] = true
		if rest = after[len(value):]; rest != "" && rest[0] != ' ' {
			return fmt.Errorf("malformed tag `%s`", f.Tag)
		}
	}
	if _, options, given := strings.Cut(f.Tag.Get("json"), ","); given {
		for option := range strings.SplitSeq(options, ",") {
			if option != "omitempty" && option != "omitzero" {
				return fmt.Errorf("json tag: unsupported option %q", option)
			}
		}
	}
	return nil
}
