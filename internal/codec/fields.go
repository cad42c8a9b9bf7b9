// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"encoding"
	stdjson "encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// field is one member of a struct's JSON object.
type field struct {
	name        string
	index       []int
	typ         reflect.Type
	optional    bool
	description string
	fallback    string   // the default, as JSON; empty for none
	check       *checker // what is inside
	fills       bool     // there are defaults inside; known for parameters
}

// takesNull reports whether the member may be null.
func (f *field) takesNull() bool { return f.optional || takesNull(f.typ) }

// fieldsOf lists the JSON members of a struct in the order of declaration,
// those of embedded structs in their place.
func fieldsOf(t reflect.Type) ([]field, error) {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if err := checkTag(f); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		fallback, hasDefault := f.Tag.Lookup("default")
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		isMember := f.IsExported() && tag != "-"
		if isEmbedded := f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct; hasDefault && (isEmbedded || !isMember) {
			return nil, fmt.Errorf("%s.%s: a default of what is no member", t, f.Name)
		} else if isEmbedded {
			embedded, err := fieldsOf(f.Type)
			if err != nil {
				return nil, err
			}
			for _, inner := range embedded {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
			continue
		}
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && (name == "" || !f.IsExported()) {
			return nil, fmt.Errorf("%s: embedded %s is not a struct: make it a field with a json name", t, f.Type)
		}
		if name == "" {
			name = f.Name
		}
		optional := f.Type.Kind() == reflect.Pointer
		for option := range strings.SplitSeq(options, ",") {
			optional = optional || option == "omitempty" || option == "omitzero"
		}
		made := field{name: name, index: []int{i}, typ: f.Type, optional: optional, description: f.Tag.Get("description")}
		if hasDefault {
			if err := made.readDefault(fallback); err != nil {
				return nil, fmt.Errorf("%s.%s: %w", t, name, err)
			}
		}
		fields = append(fields, made)
	}
	return fields, nil
}

// tagOfBlank reads a tag of a struct's field _, which speaks for the struct.
func tagOfBlank(t reflect.Type, key string) string {
	if f, ok := t.FieldByName("_"); ok && len(f.Index) == 1 {
		return f.Tag.Get(key)
	}
	return ""
}

var (
	rawMessage = reflect.TypeFor[stdjson.RawMessage]()
	rawValue   = reflect.TypeFor[jsontext.Value]()
)

// pointed is a type, or what it points to.
func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// implements reports whether a t or a pointer to one is a T.
func implements[T any](t reflect.Type) bool {
	return t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(reflect.TypeFor[T]())
}

// isText reports whether a t has a text form of its own, which is a string in
// JSON.
func isText(t reflect.Type) bool {
	return implements[encoding.TextMarshaler](t) || implements[encoding.TextAppender](t) || implements[encoding.TextUnmarshaler](t)
}

// hasOwnJSON reports whether a t writes or reads its own JSON.
func hasOwnJSON(t reflect.Type) bool {
	return implements[stdjson.Marshaler](t) || implements[stdjson.Unmarshaler](t) ||
		implements[json.MarshalerTo](t) || implements[json.UnmarshalerFrom](t)
}

// isBytes reports whether a t is base64 in JSON.
func isBytes(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem() == reflect.TypeFor[byte]()
}

// takesNull reports whether null is a value of a t.
func takesNull(t reflect.Type) bool {
	return t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer || t == rawValue || t == rawMessage
}
