// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Union is embedded in a struct to make it a tagged union: see plugin.Union.
type Union struct{}

func (Union) isUnion() {}

// unionValue is what a struct that embeds [Union] satisfies.
type unionValue interface{ isUnion() }

var unionType = reflect.TypeFor[Union]()

// union is the declaration of a tagged union.
type union struct {
	reflect.StructTag                // of the embedded Union
	discriminator     string         // which member names the variant
	variants          []field        // by their tags; a typ is the struct that the field points to
	forms             []reflect.Type // of each, with the discriminator before its members
}

// unions are the declarations that were read, by type: each value of a union
// that is written or read needs its.
var unions sync.Map

// unionOf returns the declaration of a union, which is shared; nil for other
// types.
func unionOf(t reflect.Type) (*union, error) {
	if u, ok := unions.Load(t); ok {
		return u.(*union), nil
	}
	u, err := readUnion(t)
	if u != nil {
		unions.Store(t, u)
	}
	return u, err
}

func readUnion(t reflect.Type) (*union, error) {
	if t.Kind() != reflect.Struct {
		return nil, nil
	}
	marker, ok := t.FieldByName("Union")
	if !ok || !marker.Anonymous || marker.Type != unionType || len(marker.Index) != 1 {
		return nil, nil
	}
	u := &union{StructTag: marker.Tag, discriminator: marker.Tag.Get("discriminator")}
	switch {
	case u.discriminator == "":
		return nil, fmt.Errorf("%s: the embedded Union has no discriminator tag", t)
	case u.discriminator == "-" || strings.ContainsAny(u.discriminator, ",\\'\"`"):
		return nil, fmt.Errorf("%s: the discriminator %q can't be the name of a member", t, u.discriminator)
	}
	seen := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		if err := checkTag(f); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		if f.Type == unionType || f.Name == "_" {
			continue
		}
		for _, key := range []string{"json", "default"} {
			if _, given := f.Tag.Lookup(key); given {
				return nil, fmt.Errorf("%s.%s: a variant has no %s tag", t, f.Name, key)
			}
		}
		tag := f.Tag.Get("tag")
		if tag == "" || seen[tag] || !f.IsExported() || f.Type.Kind() != reflect.Pointer || f.Type.Elem().Kind() != reflect.Struct {
			return nil, fmt.Errorf("%s.%s: a variant is an exported pointer to a struct with a tag of its own", t, f.Name)
		}
		seen[tag] = true
		u.forms = append(u.forms, reflect.StructOf([]reflect.StructField{
			{Name: "Tag", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`json:` + strconv.Quote(u.discriminator))},
			{Name: "Variant", Type: f.Type.Elem(), Tag: `json:",embed"`},
		}))
		u.variants = append(u.variants, field{name: tag, description: f.Tag.Get("description"), index: []int{i}, typ: f.Type.Elem()})
	}
	if len(u.variants) == 0 {
		return nil, fmt.Errorf("%s: a union without variants", t)
	}
	return u, nil
}

// variant finds the variant that the discriminator of an object names.
func (u *union) variant(object []byte) (*field, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	value, ok := members[u.discriminator]
	if !ok {
		return nil, &valueError{reason: "missing field `" + u.discriminator + "`"}
	}
	var tag string
	if err := json.Unmarshal(value, &tag); err != nil || value.Kind() != '"' {
		return nil, &valueError{mismatch(reflect.TypeFor[string](), value), "." + u.discriminator}
	}
	tags := make([]string, len(u.variants))
	for i, v := range u.variants {
		if tags[i] = v.name; v.name == tag {
			return &u.variants[i], nil
		}
	}
	return nil, unknownVariant(tag, tags, "."+u.discriminator)
}

// marshalUnion writes the variant that is set.
func marshalUnion(enc *jsontext.Encoder, value unionValue) error {
	v := reflect.Indirect(reflect.ValueOf(value))
	u, err := unionOf(v.Type())
	if err != nil {
		return err
	}
	set := -1
	for i, variant := range u.variants {
		if v.FieldByIndex(variant.index).IsNil() {
			continue
		}
		if set >= 0 {
			return fmt.Errorf("%s: the variants %q and %q are both set", v.Type(), u.variants[set].name, variant.name)
		}
		set = i
	}
	if set < 0 {
		return fmt.Errorf("%s: no variant is set", v.Type())
	}
	// By the same encoder, which notices a value that contains itself.
	form := reflect.New(u.forms[set])
	form.Elem().Field(0).SetString(u.variants[set].name)
	form.Elem().Field(1).Set(v.FieldByIndex(u.variants[set].index).Elem())
	return json.MarshalEncode(enc, form.Interface())
}

// unmarshalUnion reads the variant that the discriminator names.
func unmarshalUnion(dec *jsontext.Decoder, value unionValue) error {
	v := reflect.ValueOf(value).Elem()
	u, err := unionOf(v.Type())
	if err != nil {
		return err
	}
	object, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if object.Kind() != '{' {
		return &json.SemanticError{JSONKind: object.Kind(), GoType: v.Type()}
	}
	variant, err := u.variant(object)
	if err != nil {
		return err
	}
	set := reflect.New(variant.typ)
	if err := json.Unmarshal(object, set.Interface(), dec.Options()); err != nil {
		return err
	}
	v.SetZero()
	v.FieldByIndex(variant.index).Set(set)
	return nil
}

func quote(s string) []byte {
	text, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		panic(err) // a tag in the source that is not UTF-8
	}
	return text
}
