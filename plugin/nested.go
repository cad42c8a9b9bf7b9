// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// shape is what is within a parameter: the decoder takes a member that is
// missing, or null, for one that is zero.
type shape struct {
	typ     reflect.Type
	members []member          // of a struct
	byName  map[string]int    // into members
	element *member           // of what a list or a map holds; without a name
	tag     string            // the discriminator of a union
	variant map[string]*shape // and its variants
	plain   bool              // only a null can be wrong
}

type member struct {
	name     string
	typ      reflect.Type
	optional bool
	null     bool   // it may be null
	shape    *shape // nil for one with nothing to check
}

// shapeOf returns nil for a type with nothing in it that could be missing or
// null. Types may be recursive, so a shape may contain itself.
func shapeOf(t reflect.Type, known map[reflect.Type]*shape) *shape {
	t = pointed(t)
	if s, ok := known[t]; ok {
		return s
	}
	switch {
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map:
		if isBytes(t) || implements[Schematic](t) || isText(t) || takesNull(t) {
			return nil
		}
		// Elements of lists that are pointers are so for Go's sake only: see
		// the schema of lists.
		of := t.Elem()
		if t.Kind() != reflect.Map {
			of = pointed(of)
		}
		e := &member{typ: of, null: takesNull(of) || implements[Schematic](of), shape: shapeOf(of, known)}
		if e.null && e.shape == nil {
			return nil
		}
		return &shape{typ: t, element: e, plain: e.shape == nil || e.shape.plain}
	case t.Kind() == reflect.Struct && (byReference(t) || t.Name() == ""):
		s := &shape{typ: t, byName: map[string]int{}}
		known[t] = s
		marker, variants, union, err := unionOf(t)
		if err != nil {
			return nil // the schema has told
		}
		if union {
			s.tag, s.variant = marker.Tag.Get("discriminator"), map[string]*shape{}
			for _, v := range variants {
				s.variant[v.tag] = shapeOf(v.typ, known)
			}
			return s
		}
		fields, err := fieldsOf(t)
		if err != nil {
			return nil
		}
		for i, f := range fields {
			s.byName[f.name] = i
			s.members = append(s.members, member{f.name, f.typ, f.optional, f.optional || takesNull(f.typ), shapeOf(f.typ, known)})
		}
		return s
	}
	return nil
}

// takesNull tells whether null is a value of a t.
func takesNull(t reflect.Type) bool {
	return t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer || t == anyValue || t == rawMessage
}

// mostNested bounds how deep a parameter may be nested that is looked into:
// each level of unions is read once more for every one above it.
const mostNested = 64

// lack is what check finds.
type lack struct {
	path    string // from the value that is checked: ".list[3].name"
	missing bool
	reason  string // what is wrong with what is not missing
}

// within tells where the value is that the lack is in.
func (l *lack) within(step string) *lack {
	if l != nil {
		l.path = step + l.path
	}
	return l
}

// check finds the first member that is missing or null and must not be. The
// value has been decoded, so all else is as it should be.
func (s *shape) check(name string, value []byte) *ParamsError {
	if s.plain && !bytes.Contains(value, null) {
		return nil
	}
	l := s.look(jsontext.NewDecoder(bytes.NewBuffer(value)))
	switch {
	case l == nil:
		return nil
	case l.missing:
		return &ParamsError{Missing: name + l.path}
	default:
		return &ParamsError{Reason: name + l.path + ": " + l.reason}
	}
}

// look reads the next value. The decoder meets no error: it has all been read
// before.
func (s *shape) look(dec *jsontext.Decoder) *lack {
	switch kind := dec.PeekKind(); {
	case kind == '[' && s.element != nil:
		_, _ = dec.ReadToken()
		for i := 0; more(dec); i++ {
			if l := s.element.look(dec); l != nil {
				return l.within("[" + strconv.Itoa(i) + "]")
			}
		}
		_, _ = dec.ReadToken()
		return nil
	case kind == '{' && s.tag != "":
		return s.lookIntoUnion(dec)
	case kind == '{':
		_, _ = dec.ReadToken()
		return s.lookIntoObject(dec)
	}
	_ = dec.SkipValue()
	return nil
}

func (s *shape) lookIntoUnion(dec *jsontext.Decoder) *lack {
	object, err := dec.ReadValue()
	if err != nil {
		return nil
	}
	tag, err := tagOf(object, s.tag)
	if err != nil || s.variant[tag] == nil {
		return nil
	}
	return s.variant[tag].look(jsontext.NewDecoder(bytes.NewBuffer(object)))
}

// lookIntoObject reads the members of a struct or a map.
func (s *shape) lookIntoObject(dec *jsontext.Decoder) *lack {
	given := make([]bool, len(s.members))
	for more(dec) {
		token, err := dec.ReadToken()
		if err != nil {
			return nil
		}
		name := token.String()
		m := s.element
		if i, known := s.byName[name]; known {
			m, given[i] = &s.members[i], true
		}
		if m == nil {
			_ = dec.SkipValue()
		} else if l := m.look(dec); l != nil {
			return l.within("." + name)
		}
	}
	_, _ = dec.ReadToken()
	for i, m := range s.members {
		if !given[i] && !m.optional {
			return &lack{path: "." + m.name, missing: true}
		}
	}
	return nil
}

func (m *member) look(dec *jsontext.Decoder) *lack {
	switch {
	case dec.PeekKind() == 'n' && !m.null:
		return &lack{reason: mismatch(m.typ, null)}
	case m.shape != nil:
		return m.shape.look(dec)
	}
	_ = dec.SkipValue()
	return nil
}

// more tells whether the list or object goes on.
func more(dec *jsontext.Decoder) bool {
	kind := dec.PeekKind()
	return kind != ']' && kind != '}' && kind != 0
}

// tooDeep tells whether a value is nested deeper than mostNested, before it is
// decoded.
func tooDeep(value []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > mostNested {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// decodeChecked decodes a value that the caller has sent, beside parameters,
// as they are decoded; name is what errors call it.
func decodeChecked[T any](name string, value []byte, into *T) error {
	t := reflect.TypeFor[T]()
	switch {
	case isNull(value) && !takesNull(t):
		return &ParamsError{Reason: name + ": " + mismatch(t, null)}
	case tooDeep(value):
		return &ParamsError{Reason: fmt.Sprintf("%s: nested deeper than %d levels", name, mostNested)}
	}
	if err := json.Unmarshal(value, into, decodeOptions); err != nil {
		return &ParamsError{Reason: name + ": " + refusal("", t, value, err)}
	}
	if s := shapeOf(t, map[reflect.Type]*shape{}); s != nil {
		if err := s.check(name, value); err != nil {
			return err
		}
	}
	return nil
}
