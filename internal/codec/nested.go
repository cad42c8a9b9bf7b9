// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"bytes"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// checker finds required members that are missing or null inside of a parameter:
// the decoder leaves them zero. A nil checker finds nothing.
type checker struct {
	members  []member            // of a struct
	byName   map[string]int      // into members
	element  *member             // of a list or a map; without a name
	tag      string              // the discriminator of a union
	variants map[string]*checker // of a union
	onlyNull bool                // only a null can be wrong
}

type member struct {
	name     string
	typ      reflect.Type
	optional bool
	nullable bool
	check    *checker
}

// checkerOf returns nil for a type with nothing in it to check. Types may be
// recursive, so a checker may contain itself.
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
		e := &member{typ: of, nullable: takesNull(of) || implements[Schematic](of), check: checkerOf(of, known)}
		if e.nullable && e.check == nil {
			return nil
		}
		return &checker{element: e, onlyNull: e.check == nil || e.check.onlyNull}
	case t.Kind() == reflect.Struct && (byReference(t) || t.Name() == ""):
		c := &checker{byName: map[string]int{}}
		known[t] = c
		marker, variants, union, err := unionOf(t)
		if err != nil {
			return nil // the schema has failed on it
		}
		if union {
			c.tag, c.variants = marker.Tag.Get("discriminator"), map[string]*checker{}
			for _, v := range variants {
				c.variants[v.tag] = checkerOf(v.typ, known)
			}
			return c
		}
		fields, err := fieldsOf(t)
		if err != nil {
			return nil
		}
		for i, f := range fields {
			c.byName[f.name] = i
			c.members = append(c.members, member{f.name, f.typ, f.optional, f.optional || takesNull(f.typ), checkerOf(f.typ, known)})
		}
		return c
	}
	return nil
}

// maxDepth bounds how deep a checked parameter may be nested: each level of
// unions is read once more for every union above it.
const maxDepth = 64

// fault is what a checker finds.
type fault struct {
	path   string // from the value that is checked: ".list[3].name"
	reason string // empty for a member that is missing
}

// within adds the step that leads to the faulty value.
func (f *fault) within(step string) *fault {
	if f != nil {
		f.path = step + f.path
	}
	return f
}

// check looks for the first fault. The value has been decoded, so all else is
// as it should be.
func (c *checker) check(name string, value []byte) *Invalid {
	if c == nil || c.onlyNull && !bytes.Contains(value, null) {
		return nil
	}
	switch f := c.value(jsontext.NewDecoder(bytes.NewBuffer(value))); {
	case f == nil:
		return nil
	case f.reason == "":
		return missing(name + f.path)
	default:
		return invalid(name + f.path + ": " + f.reason)
	}
}

// value reads the next value. The decoder meets no error: all was read before.
func (c *checker) value(dec *jsontext.Decoder) *fault {
	switch kind := dec.PeekKind(); {
	case kind == '[' && c.element != nil:
		_, _ = dec.ReadToken()
		for i := 0; more(dec); i++ {
			if f := c.element.value(dec); f != nil {
				return f.within("[" + strconv.Itoa(i) + "]")
			}
		}
		_, _ = dec.ReadToken()
		return nil
	case kind == '{' && c.tag != "":
		return c.union(dec)
	case kind == '{':
		return c.object(dec)
	}
	_ = dec.SkipValue()
	return nil
}

func (c *checker) union(dec *jsontext.Decoder) *fault {
	object, err := dec.ReadValue()
	if err != nil {
		return nil
	}
	tag, err := tagOf(object, c.tag)
	if err != nil || c.variants[tag] == nil {
		return nil
	}
	return c.variants[tag].value(jsontext.NewDecoder(bytes.NewBuffer(object)))
}

// object reads the members of a struct or a map.
func (c *checker) object(dec *jsontext.Decoder) *fault {
	_, _ = dec.ReadToken()
	given := make([]bool, len(c.members))
	for more(dec) {
		token, err := dec.ReadToken()
		if err != nil {
			return nil
		}
		name := token.String()
		m := c.element
		if i, known := c.byName[name]; known {
			m, given[i] = &c.members[i], true
		}
		if m == nil {
			_ = dec.SkipValue()
		} else if f := m.value(dec); f != nil {
			return f.within("." + name)
		}
	}
	_, _ = dec.ReadToken()
	for i, m := range c.members {
		if !given[i] && !m.optional {
			return &fault{path: "." + m.name}
		}
	}
	return nil
}

func (m *member) value(dec *jsontext.Decoder) *fault {
	switch {
	case dec.PeekKind() == 'n' && !m.nullable:
		return &fault{reason: mismatch(m.typ, null)}
	case m.check != nil:
		return m.check.value(dec)
	}
	_ = dec.SkipValue()
	return nil
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
