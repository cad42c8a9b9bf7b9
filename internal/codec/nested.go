// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"
)

// checker finds required members that are missing or null inside of a value that
// was decoded: the decoder leaves them zero. A nil checker finds nothing.
type checker struct {
	members  []field        // of a struct
	byName   map[string]int // into members
	element  *field         // of a list or a map, or any other member of a struct
	union    *union
	onlyNull bool // only a null can be wrong
}

// checkerOf returns nil for a type with nothing in it to check, or without a
// schema. Types may be recursive, so a checker may contain itself.
func checkerOf(t reflect.Type, known map[reflect.Type]*checker) *checker {
	t = pointed(t)
	if c, ok := known[t]; ok {
		return c
	}
	switch {
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map:
		if isBytes(t) || implements[Schematic](t) || isText(t) || takesNull(t) {
			return nil
		}
		of := t.Elem()
		if t.Kind() != reflect.Map {
			of = pointed(of) // as in the schema of lists
		}
		e := &field{typ: of, optional: implements[Schematic](of) && hasOwnJSON(of), check: checkerOf(of, known)}
		if e.takesNull() && e.check == nil {
			return nil
		}
		return &checker{element: e, onlyNull: e.check == nil || e.check.onlyNull}
	case t.Kind() == reflect.Struct && (byReference(t) || t.Name() == "" || implements[Schematic](t) && !hasOwnJSON(t) && !isText(t)):
		c := &checker{element: unchecked}
		known[t] = c
		if c.addMembers(t, known) == nil {
			return c
		}
	}
	return nil
}

// addMembers adds the members of a struct, or the variants of a union.
func (c *checker) addMembers(t reflect.Type, known map[reflect.Type]*checker) error {
	declared, err := unionOf(t)
	if err != nil {
		return err
	}
	if declared != nil {
		c.union = &union{discriminator: declared.discriminator}
		for _, v := range declared.variants {
			v.check = checkerOf(v.typ, known)
			c.union.variants = append(c.union.variants, v)
		}
		return nil
	}
	var given *jsonschema.Schema // says what is required
	if own, ok := reflect.Zero(t).Interface().(Schematic); ok {
		given, _ = givenSchema(own)
	}
	c.members, err = fieldsOf(t)
	c.byName = map[string]int{}
	for i := range c.members {
		f := &c.members[i]
		if given != nil {
			f.optional = !slices.Contains(given.Required, f.name)
		}
		c.byName[f.name] = i
		f.check = checkerOf(f.typ, known)
	}
	return err
}

// maxDepth bounds how deep a checked parameter may be nested: each level of
// unions is read once more for every union above it.
const maxDepth = 64

// inspection is a walk through a value that is called name in errors. Its
// decoder meets no error: all was read before. It looks for faults, or for
// what has a default and is missing or null.
type inspection struct {
	*jsontext.Decoder
	name string
	text []byte
	fill *[]edit // where defaults go, rather than faults; nil for a check
}

// check looks for the first fault.
func (c *checker) check(name string, text []byte) *Invalid {
	if c == nil || c.onlyNull && !bytes.Contains(text, null) {
		return nil
	}
	return inspection{jsontext.NewDecoder(bytes.NewBuffer(text)), name, text, nil}.value(&field{optional: true, check: c})
}

var unchecked = &field{optional: true}

// value reads the next value, which is that of f.
func (in inspection) value(f *field) *Invalid {
	c := f.check
	switch kind := in.PeekKind(); {
	case kind == 'n' && in.fill != nil && f.fallback != "":
		_ = in.SkipValue()
		end := int(in.InputOffset())
		*in.fill = append(*in.fill, edit{end - len(null), end, f.fallback})
		return nil
	case kind == 'n' && in.fill == nil && !f.takesNull():
		_ = in.SkipValue()
		return invalid(in.place() + ": " + mismatch(f.typ, null))
	case kind == '{' && c != nil && c.union != nil:
		rest := bytes.TrimLeft(in.text[in.InputOffset():], ":, \t\r\n")
		object, _ := jsontext.NewDecoder(bytes.NewBuffer(rest)).ReadValue()
		if variant, err := c.union.variant(object); err == nil && variant.check != nil {
			return in.elements(variant.check)
		}
	case (kind == '{' || kind == '[') && c != nil:
		return in.elements(c)
	}
	_ = in.SkipValue()
	return nil
}

// elements reads the members of an object, or the elements of a list.
func (in inspection) elements(c *checker) *Invalid {
	token, _ := in.ReadToken()
	named := token.Kind() == '{'
	given, comma := make([]bool, len(c.members)), ""
	for more(in.Decoder) {
		f := c.element
		comma = ","
		if named {
			name, _ := in.ReadToken()
			if i, known := c.byName[name.String()]; known {
				f, given[i] = &c.members[i], true
			}
		}
		if bad := in.value(f); bad != nil {
			return bad
		}
	}
	_, _ = in.ReadToken()
	end := int(in.InputOffset()) - 1
	for i, f := range c.members {
		switch {
		case given[i] || !named:
		case in.fill != nil && f.fallback != "":
			*in.fill = append(*in.fill, edit{end, end, comma + string(quote(f.name)) + ":" + f.fallback})
			comma = ","
		case in.fill == nil && !f.optional:
			return missing(in.place() + "." + f.name)
		}
	}
	return nil
}

// place says where the value is that was read last: "list[2].name".
func (in inspection) place() string {
	_, place, _ := valueAt(in.text, in.StackPointer())
	return in.name + place
}

// more reports whether the list or object goes on.
func more(dec *jsontext.Decoder) bool {
	kind := dec.PeekKind()
	return kind != ']' && kind != '}' && kind != 0
}

// TooDeepAt returns where text, which need not be valid JSON, is nested deeper
// than maxDepth; its length for nowhere.
func TooDeepAt(text []byte, maxDepth int) int {
	// Nearly every text opens fewer levels than it may be deep. To count them
	// costs next to nothing.
	if bytes.Count(text, []byte{'{'})+bytes.Count(text, []byte{'['}) <= maxDepth {
		return len(text)
	}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return len(text)
}
