// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"cmp"
	stdjson "encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"
)

// dialect is the version of JSON Schema that results name; clients generate
// typed code from it.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// Schematic is implemented by a type that gives its own JSON Schema. JSONSchema
// is called on its zero value.
type Schematic interface {
	JSONSchema() stdjson.RawMessage
}

func givenSchema(s Schematic) (*jsonschema.Schema, error) {
	schema := new(jsonschema.Schema)
	if err := stdjson.Unmarshal(s.JSONSchema(), schema); err != nil {
		return schema, fmt.Errorf("%T: its JSONSchema: %w", s, err)
	}
	return schema, nil
}

// detailed is implemented by a struct whose schema says more of its members: see
// plugin.Stream. SchemaDetails is called on the zero value.
type detailed interface{ SchemaDetails() map[string]string }

// inference collects the $defs while the schema of one root type is made.
type inference struct {
	defs  map[string]*jsonschema.Schema
	types map[string]reflect.Type // which type a name in defs stands for
	depth int
}

// maxTypes bounds how many types may be inside of each other: one that contains
// itself has no end, unless it does so in a struct.
const maxTypes = 1000

func newInference() *inference {
	return &inference{defs: map[string]*jsonschema.Schema{}, types: map[string]reflect.Type{}}
}

// ResultSchema makes the JSON Schema of an item's content; nil for any.
func ResultSchema(t reflect.Type) (stdjson.RawMessage, error) {
	if t.Kind() == reflect.Interface {
		return nil, nil
	}
	inf := newInference()
	s, err := inf.define(t)
	if err != nil {
		return nil, err
	}
	if s.Title == "" {
		s.Title = nameOf(pointed(t))
	}
	if s.Title != "" && (s.Type == "object" || t.Implements(reflect.TypeFor[Enumerated]())) {
		// Generators of types look for the type of a result by its title in $defs.
		if err := inf.name(s.Title, t, func() (*jsonschema.Schema, error) { return s.CloneSchemas(), nil }); err != nil {
			return nil, err
		}
	}
	s.Schema = dialect
	s.Defs = inf.defs
	return stdjson.Marshal(s)
}

// schema makes the schema of a type where it is used: named structs, unions,
// enumerations, and what gives a schema with a title, by reference.
func (inf *inference) schema(t reflect.Type) (*jsonschema.Schema, error) {
	inf.depth++
	defer func() { inf.depth-- }()
	if inf.depth > maxTypes {
		return nil, fmt.Errorf("%s contains itself, with no struct between", t)
	}
	if t.Kind() == reflect.Pointer {
		s, err := inf.schema(t.Elem())
		if err != nil {
			return nil, err
		}
		return nullable(s), nil
	}
	name, named := nameOf(t), t.Name() != "" && byReference(t)
	if own, ok := reflect.Zero(t).Interface().(Schematic); ok {
		s, err := givenSchema(own)
		if err != nil {
			return nil, err
		}
		name, named = s.Title, s.Title != ""
	}
	if !named {
		return inf.define(t)
	}
	err := inf.name(name, t, func() (*jsonschema.Schema, error) { return inf.define(t) })
	return &jsonschema.Schema{Ref: "#/$defs/" + name}, err
}

// name makes the schema of a type and puts it under a name in $defs, once.
func (inf *inference) name(name string, t reflect.Type, define func() (*jsonschema.Schema, error)) error {
	if other, taken := inf.types[name]; taken {
		if other != t {
			return fmt.Errorf("%s and %s would share the name %q in $defs", other, t, name)
		}
		return nil
	}
	inf.types[name] = t // before its fields: it may contain itself
	s, err := define()
	inf.defs[name] = s
	return err
}

// nameOf names a type in a schema. "Page[example.org/a.Item]", a generic type,
// would be a broken reference; it becomes "Page_Item".
func nameOf(t reflect.Type) string {
	parts := strings.FieldsFunc(t.Name(), func(r rune) bool { return r == '[' || r == ']' || r == ',' })
	for i, part := range parts {
		part = part[strings.LastIndexAny(part, "/.*")+1:]
		parts[i], _, _ = strings.Cut(part, "·") // a type within a function is numbered
	}
	return strings.Join(parts, "_")
}

func byReference(t reflect.Type) bool {
	if t.Implements(reflect.TypeFor[Schematic]()) || isText(t) {
		return false
	}
	return t.Implements(reflect.TypeFor[Enumerated]()) || t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]()
}

// define makes the schema of a type in full.
func (inf *inference) define(t reflect.Type) (*jsonschema.Schema, error) {
	switch zero := reflect.Zero(t).Interface().(type) {
	case Schematic:
		return givenSchema(zero)
	case Enumerated:
		return enumSchema(t, zero.Enum())
	case time.Time:
		return &jsonschema.Schema{Type: "string", Format: "date-time"}, nil
	case stdjson.RawMessage, jsontext.Value:
		return &jsonschema.Schema{}, nil
	case stdjson.Number:
		return &jsonschema.Schema{Type: "number"}, nil
	case time.Duration:
		return &jsonschema.Schema{Type: "string", Format: "duration"}, nil
	}
	if t.Kind() != reflect.Interface && (implements[Enumerated](t) || implements[Schematic](t)) {
		return nil, fmt.Errorf("%s: its method Enum or JSONSchema must have a value receiver, not a pointer", t)
	}
	switch {
	case hasOwnJSON(t):
		return nil, fmt.Errorf("%s has its own JSON form: give its schema with a method JSONSchema", t)
	case isText(t):
		return &jsonschema.Schema{Type: "string"}, nil
	case isBytes(t):
		return &jsonschema.Schema{Type: "string", ContentEncoding: "base64"}, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}, nil
	case reflect.String:
		return &jsonschema.Schema{Type: "string"}, nil
	case reflect.Float32:
		return &jsonschema.Schema{Type: "number", Format: "float"}, nil
	case reflect.Float64:
		return &jsonschema.Schema{Type: "number", Format: "double"}, nil
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return nil, fmt.Errorf("%s is an interface, which can't be read from JSON: a union says what there may be", t)
		}
		return &jsonschema.Schema{}, nil
	case reflect.Struct:
		return inf.structSchema(t)
	case reflect.Slice, reflect.Array:
		// Elements that are pointers are so for Go's sake: they are not null.
		items, err := inf.schema(pointed(t.Elem()))
		return &jsonschema.Schema{Type: "array", Items: items}, err
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("%s: the keys of a map are strings in JSON", t)
		}
		values, err := inf.schema(t.Elem())
		return &jsonschema.Schema{Type: "object", AdditionalProperties: values}, err
	case reflect.Pointer:
		return inf.schema(t)
	}
	if s := integerSchema(t.Kind()); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%s has no JSON Schema", t)
}

// smallIntegers are those whose bounds every JSON number keeps exactly, and the
// bits of their values.
var smallIntegers = map[reflect.Kind]int{
	reflect.Int8: 7, reflect.Int16: 15, reflect.Int32: 31, reflect.Uint8: 8, reflect.Uint16: 16, reflect.Uint32: 32,
}

// integerSchema gives the format that typed clients read the width from; nil
// for a kind that is no integer.
func integerSchema(k reflect.Kind) *jsonschema.Schema {
	if k < reflect.Int || k > reflect.Uint64 {
		return nil
	}
	s := &jsonschema.Schema{Type: "integer", Format: k.String()}
	if k == reflect.Int {
		s.Format = "int64"
	}
	bits, small := smallIntegers[k]
	if small {
		s.Maximum = jsonschema.Ptr(float64(int64(1)<<bits - 1))
	}
	if k >= reflect.Uint {
		s.Minimum = jsonschema.Ptr(0.0)
	} else if small {
		s.Minimum = jsonschema.Ptr(-float64(int64(1) << bits))
	}
	return s
}

func enumSchema(t reflect.Type, choices []Choice) (*jsonschema.Schema, error) {
	if t.Kind() != reflect.String || len(choices) == 0 {
		return nil, fmt.Errorf("%s: an enumeration is a string type with at least one value", t)
	}
	for i, c := range choices {
		if slices.ContainsFunc(choices[:i], func(d Choice) bool { return d.Value == c.Value }) {
			return nil, fmt.Errorf("%s: the value %q is there twice", t, c.Value)
		}
	}
	s := &jsonschema.Schema{}
	if d, ok := reflect.Zero(t).Interface().(interface{ EnumDescription() string }); ok {
		s.Description = d.EnumDescription()
	}
	if !slices.ContainsFunc(choices, func(c Choice) bool { return c.Description != "" }) {
		s.Type = "string"
		for _, c := range choices {
			s.Enum = append(s.Enum, c.Value)
		}
		if !slices.ContainsFunc(choices, func(c Choice) bool { return c.Label != "" }) {
			return s, nil
		}
	}
	for _, c := range choices {
		title := cmp.Or(c.Label, strings.TrimSpace(nameOf(t)+" "+c.Value))
		s.OneOf = append(s.OneOf, &jsonschema.Schema{Type: "string", Title: title, Const: jsonschema.Ptr[any](c.Value), Description: c.Description})
	}
	return s, nil
}

func (inf *inference) structSchema(t reflect.Type) (*jsonschema.Schema, error) {
	u, err := unionOf(t)
	if err != nil {
		return nil, err
	}
	if u != nil {
		return inf.unionSchema(t, u)
	}
	s := &jsonschema.Schema{
		Type:        "object",
		Title:       tagOfBlank(t, "title"),
		Description: tagOfBlank(t, "description"),
	}
	if t.Implements(reflect.TypeFor[unionValue]()) {
		return nil, fmt.Errorf("%s embeds a union: give the field a name", t)
	}
	fields, err := fieldsOf(t)
	if err != nil {
		return nil, err
	}
	// What else the decoder finds wrong with the type: no exported fields, say.
	if err := json.Unmarshal([]byte("{}"), reflect.New(t).Interface(), decodeOptions); err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	var details map[string]string
	if d, ok := reflect.Zero(t).Interface().(detailed); ok {
		details = maps.Clone(d.SchemaDetails())
	} else if implements[detailed](t) {
		return nil, fmt.Errorf("%s: its method SchemaDetails must have a value receiver, not a pointer", t)
	}
	for _, f := range fields {
		if s.Properties[f.name] != nil {
			return nil, fmt.Errorf("%s has two fields %q", t, f.name)
		}
		property, err := inf.schema(f.typ)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.name, err)
		}
		if f.optional {
			property = nullable(property)
		}
		if more, ok := details[f.name]; ok {
			if err := stdjson.Unmarshal([]byte(more), property); err != nil {
				return nil, fmt.Errorf("%s.%s: SchemaDetails: %w", t, f.name, err)
			}
			delete(details, f.name)
		}
		if err := f.checkDefault(); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.name, err)
		}
		if f.fallback != "" {
			property.Default = stdjson.RawMessage(f.fallback)
		}
		property.Description = f.description
		if s.Properties == nil {
			s.Properties = map[string]*jsonschema.Schema{}
		}
		s.Properties[f.name] = property
		if !f.optional {
			s.Required = append(s.Required, f.name)
		}
	}
	for name := range details {
		return nil, fmt.Errorf("%s: SchemaDetails: there is no member %q", t, name)
	}
	return s, nil
}

func (inf *inference) unionSchema(t reflect.Type, u *union) (*jsonschema.Schema, error) {
	s := &jsonschema.Schema{Title: u.Get("title"), Description: u.Get("description")}
	for _, v := range u.variants {
		if v.typ.Implements(reflect.TypeFor[unionValue]()) {
			return nil, fmt.Errorf("%s: variant %q is a union itself", t, v.name)
		}
		object, err := inf.define(v.typ)
		if err != nil {
			return nil, err
		}
		if object.Properties[u.discriminator] != nil || object.Type != "object" {
			return nil, fmt.Errorf("%s: variant %q is no struct, or has a field %q of its own", t, v.name, u.discriminator)
		}
		if object.Properties == nil {
			object.Properties = map[string]*jsonschema.Schema{}
		}
		object.Properties[u.discriminator] = &jsonschema.Schema{Type: "string", Const: jsonschema.Ptr[any](v.name)}
		object.Required = append([]string{u.discriminator}, object.Required...)
		// Generators name types by titles, and number those without: the names
		// would shift with each variant that is added.
		object.Title, object.Description = strings.TrimSpace(cmp.Or(s.Title, nameOf(t))+" "+v.name), v.description
		s.OneOf = append(s.OneOf, object)
	}
	return s, nil
}

// nullable makes a schema that allows null as well.
func nullable(s *jsonschema.Schema) *jsonschema.Schema {
	switch {
	case s.AnyOf != nil:
		if !slices.ContainsFunc(s.AnyOf, func(a *jsonschema.Schema) bool { return a.Type == "null" }) {
			s.AnyOf = append(slices.Clip(s.AnyOf), &jsonschema.Schema{Type: "null"})
		}
	case s.Ref != "" || s.OneOf != nil || s.AllOf != nil || s.Enum != nil || s.Const != nil:
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, {Type: "null"}}}
	case s.Type != "":
		s.Types, s.Type = []string{s.Type, "null"}, ""
	case s.Types != nil:
		if !slices.Contains(s.Types, "null") {
			s.Types = append(slices.Clip(s.Types), "null")
		}
	}
	return s
}
