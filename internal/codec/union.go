// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Union is embedded in a struct to make it a tagged union: see plugin.Union.
type Union struct{}

func (Union) isUnion() {}

// unionValue is what a struct that embeds [Union] satisfies.
type unionValue interface{ isUnion() }

var unionType = reflect.TypeFor[Union]()

// variant is one alternative of a union, read from the tags of its field.
type variant struct {
	tag         string
	description string
	index       int
	typ         reflect.Type // the struct that the field points to
}

// unionOf reads the declaration of a union; ok is false for other types.
func unionOf(t reflect.Type) (marker reflect.StructField, variants []variant, ok bool, err error) {
	if t.Kind() != reflect.Struct {
		return marker, nil, false, nil
	}
	marker, ok = t.FieldByName("Union")
	if !ok || !marker.Anonymous || marker.Type != unionType || len(marker.Index) != 1 {
		return marker, nil, false, nil
	}
	if marker.Tag.Get("discriminator") == "" {
		return marker, nil, true, fmt.Errorf("%s: the embedded Union has no discriminator tag", t)
	}
	seen := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == unionType || f.Name == "_" {
			continue
		}
		tag := f.Tag.Get("tag")
		if tag == "" || seen[tag] || !f.IsExported() || f.Type.Kind() != reflect.Pointer || f.Type.Elem().Kind() != reflect.Struct {
			return marker, nil, true, fmt.Errorf("%s.%s: a variant is an exported pointer to a struct with a tag of its own", t, f.Name)
		}
		seen[tag] = true
		variants = append(variants, variant{tag: tag, description: f.Tag.Get("description"), index: i, typ: f.Type.Elem()})
	}
	if len(variants) == 0 {
		return marker, nil, true, fmt.Errorf("%s: a union without variants", t)
	}
	return marker, variants, true, nil
}

// marshalUnion writes the variant that is set.
func marshalUnion(enc *jsontext.Encoder, u unionValue) error {
	v := reflect.ValueOf(u)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	marker, variants, _, err := unionOf(v.Type())
	if err != nil {
		return err
	}
	var set *variant
	for i, variant := range variants {
		if v.Field(variant.index).IsNil() {
			continue
		}
		if set != nil {
			return fmt.Errorf("%s: the variants %q and %q are both set", v.Type(), set.tag, variant.tag)
		}
		set = &variants[i]
	}
	if set == nil {
		return fmt.Errorf("%s: no variant is set", v.Type())
	}
	object, err := json.Marshal(v.Field(set.index).Interface(), enc.Options())
	if err != nil {
		return err
	}
	out := append([]byte{'{'}, quote(marker.Tag.Get("discriminator"))...)
	out = append(append(out, ':'), quote(set.tag)...)
	if len(object) > len("{}") {
		out = append(out, ',')
	}
	return enc.WriteValue(append(out, object[1:]...))
}

// unmarshalUnion reads the variant that the discriminator names.
func unmarshalUnion(dec *jsontext.Decoder, u unionValue) error {
	v := reflect.ValueOf(u).Elem()
	marker, variants, _, err := unionOf(v.Type())
	if err != nil {
		return err
	}
	if dec.PeekKind() != '{' {
		kind := dec.PeekKind()
		if err := dec.SkipValue(); err != nil {
			return err
		}
		return &json.SemanticError{JSONKind: kind, GoType: v.Type()}
	}
	object, err := dec.ReadValue()
	if err != nil {
		return err
	}
	tag, err := tagOf(object, marker.Tag.Get("discriminator"))
	if err != nil {
		return err
	}
	tags := make([]string, len(variants))
	for i, variant := range variants {
		if tags[i] = variant.tag; variant.tag != tag {
			continue
		}
		field := reflect.New(variant.typ)
		if err := json.Unmarshal(object, field.Interface(), dec.Options()); err != nil {
			return err
		}
		v.SetZero()
		v.Field(variant.index).Set(field)
		return nil
	}
	return unknownVariant(tag, tags)
}

// tagOf finds the discriminator of an object.
func tagOf(object []byte, discriminator string) (string, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(object, &members); err != nil {
		return "", err
	}
	value, ok := members[discriminator]
	if !ok {
		return "", &valueError{"missing field `" + discriminator + "`"}
	}
	var tag string
	if err := json.Unmarshal(value, &tag); err != nil || value.Kind() != '"' {
		return "", &valueError{mismatch(reflect.TypeFor[string](), value)}
	}
	return tag, nil
}

func quote(s string) []byte {
	text, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		panic(err) // a tag in the source that is not UTF-8
	}
	return text
}
