// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readDefault makes the fallback of the tag: JSON, as the schema shows it.
func (f *field) readDefault(tag string) error {
	if !f.optional {
		return errors.New("it has a default, but is not optional")
	}
	if !strings.HasPrefix(tag, `"`) && readsText(pointed(f.typ)) {
		tag = string(quote(tag)) // a string may be written without its quotes
	}
	value := reflect.New(f.typ)
	if err := json.Unmarshal([]byte(tag), value.Interface(), decodeOptions); err != nil {
		return fmt.Errorf("invalid default %s: %w", tag, err)
	}
	inside := pointed(f.typ)
	for range maxDepth { // a type may contain itself
		if inside.Kind() == reflect.Slice || inside.Kind() == reflect.Map {
			inside = pointed(inside.Elem())
		}
	}
	if inside == reflect.TypeFor[time.Duration]() { // in the form that the schema promises
		text, err := AppendJSON(nil, value.Interface())
		tag = string(text)
		if err != nil {
			return err
		}
	}
	if f.fallback = tag; tag == string(null) {
		f.fallback = "" // as if there was none
	}
	return nil
}

// checkDefault looks inside of the fallback.
func (f *field) checkDefault() error {
	if f.fallback == "" {
		return nil
	}
	c := checkerOf(f.typ, map[reflect.Type]*checker{})
	if bad := c.check(f.name, []byte(f.fallback)); bad != nil {
		return fmt.Errorf("invalid default %s: %s", f.fallback, bad.Reason)
	}
	if filled := c.fill([]byte(f.fallback)); TooDeepAt(filled, maxDepth) < len(filled) {
		return errors.New("its default contains itself")
	}
	return nil
}

// hasDefaults reports whether there are defaults inside of a value.
func (c *checker) hasDefaults(seen map[*checker]bool) bool {
	if c == nil || seen[c] {
		return false
	}
	seen[c] = true
	fields := c.members
	if c.union != nil {
		fields = c.union.variants
	}
	for i := range fields {
		if fields[i].fallback != "" || fields[i].check.hasDefaults(seen) {
			return true
		}
	}
	return c.element != nil && c.element.check.hasDefaults(seen)
}

// edit replaces a part of a text.
type edit struct {
	start, end int
	by         string
}

// fill adds to a value, which is valid JSON, the defaults of what is missing or
// null inside of it. Those of a default come in another round.
func (c *checker) fill(text []byte) []byte {
	if c == nil {
		return text
	}
	for range maxDepth {
		edits := []edit{}
		in := inspection{jsontext.NewDecoder(bytes.NewBuffer(text)), "", text, &edits}
		in.value(&field{optional: true, check: c})
		if len(edits) == 0 {
			break
		}
		filled, done := []byte{}, 0
		for _, e := range edits {
			filled = append(append(filled, text[done:e.start]...), e.by...)
			done = e.end
		}
		text = append(filled, text[done:]...)
	}
	return text
}
