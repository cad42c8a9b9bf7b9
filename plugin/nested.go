// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	stdjson "encoding/json"
	"reflect"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// shape is what the structs within a parameter need: the decoder takes a
// member that is missing, or null, for one that is zero.
type shape struct {
	typ     reflect.Type
	members []member          // of a struct
	element *shape            // of what a list or a map holds
	tag     string            // the discriminator of a union
	variant map[string]*shape // and its variants
}

type member struct {
	name     string
	typ      reflect.Type
	optional bool
	shape    *shape // nil for one with nothing to check
}

// shapeOf returns nil for a type without structs in it. Types may be
// recursive, so a shape may contain itself.
func shapeOf(t reflect.Type, known map[reflect.Type]*shape) *shape {
	t = pointed(t)
	if s, ok := known[t]; ok {
		return s
	}
	s := &shape{typ: t}
	switch {
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map:
		if isBytes(t) || implements[Schematic](t) || isText(t) {
			return nil
		}
		if s.element = shapeOf(t.Elem(), known); s.element == nil {
			return nil
		}
	case t.Kind() == reflect.Struct && byReference(t) || t.Kind() == reflect.Struct && t.Name() == "":
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
		for _, f := range fields {
			s.members = append(s.members, member{f.name, f.typ, f.optional, shapeOf(f.typ, known)})
		}
	default:
		return nil
	}
	return s
}

// check finds the first member that is missing or null and must not be. The
// value has been decoded, so all else is as it should be.
func (s *shape) check(path string, value jsontext.Value) *ParamsError {
	switch value.Kind() {
	case '[':
		var elements []jsontext.Value
		if s.element == nil || json.Unmarshal(value, &elements) != nil {
			return nil
		}
		for i, e := range elements {
			if err := s.element.checkElement(path+"["+strconv.Itoa(i)+"]", e); err != nil {
				return err
			}
		}
	case '{':
		var object map[string]jsontext.Value
		if json.Unmarshal(value, &object) != nil {
			return nil
		}
		return s.checkObject(path, object)
	}
	return nil
}

func (s *shape) checkElement(path string, value jsontext.Value) *ParamsError {
	if value.Kind() == 'n' && s.typ.Kind() == reflect.Struct {
		return &ParamsError{Reason: path + ": " + mismatch(s.typ, value)}
	}
	return s.check(path, value)
}

func (s *shape) checkObject(path string, object map[string]jsontext.Value) *ParamsError {
	if s.element != nil {
		names := make([]string, 0, len(object))
		for name := range object {
			names = append(names, name)
		}
		slices.Sort(names) // the same mistake is always told the same way
		for _, name := range names {
			if err := s.element.checkElement(path+"."+name, object[name]); err != nil {
				return err
			}
		}
		return nil
	}
	if s.tag != "" {
		var tag string
		if json.Unmarshal(object[s.tag], &tag) == nil && s.variant[tag] != nil {
			return s.variant[tag].checkObject(path, object)
		}
		return nil
	}
	for _, m := range s.members {
		value, given := object[m.name]
		switch {
		case m.optional && (!given || value.Kind() == 'n'):
		case !given:
			return &ParamsError{Missing: path + "." + m.name}
		case value.Kind() == 'n' && !takesNull(m.typ):
			return &ParamsError{Reason: path + "." + m.name + ": " + mismatch(m.typ, value)}
		case m.shape != nil:
			if err := m.shape.check(path+"."+m.name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// takesNull tells whether null is a value of a t that must be given.
func takesNull(t reflect.Type) bool {
	return t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer ||
		t == reflect.TypeFor[jsontext.Value]() || t == reflect.TypeFor[stdjson.RawMessage]()
}
