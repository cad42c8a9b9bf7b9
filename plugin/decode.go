// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decodeOptions are how every parameter is read: unions by their declaration,
// and of an enumeration only what it lists, as the schema promises.
var decodeOptions = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(unmarshalUnion),
	json.UnmarshalFromFunc(unmarshalEnumerated),
	json.UnmarshalFromFunc(unmarshalDuration),
))

// valueError is what a caller may read about a value that was refused.
type valueError struct{ reason string }

func (e *valueError) Error() string { return e.reason }

// unmarshalEnumerated reads a value of a closed set.
func unmarshalEnumerated(dec *jsontext.Decoder, e Enumerated) error {
	v := reflect.ValueOf(e).Elem()
	if v.Kind() != reflect.String {
		return errors.ErrUnsupported // a pointer to one: it comes again without
	}
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if text.Kind() != '"' {
		return &valueError{mismatch(v.Type(), text)}
	}
	var value string
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	var values []string
	for _, c := range e.Enum() {
		values = append(values, c.Value)
	}
	if !slices.Contains(values, value) {
		return unknownVariant(value, values)
	}
	v.SetString(value)
	return nil
}

// unknownVariant words that got is none of want, as other hubs do.
func unknownVariant(got string, want []string) error {
	list := "`" + strings.Join(want, "`, `") + "`"
	switch len(want) {
	case 1:
	case 2:
		list = "`" + want[0] + "` or `" + want[1] + "`"
	default:
		list = "one of " + list
	}
	return &valueError{"unknown variant `" + shorten(got) + "`, expected " + list}
}

// refusal words err, which decoding value into t gave: by the innermost value
// that is to blame, in the terms that clients of other hubs know, and by its
// place within what is called name.
func refusal(name string, t reflect.Type, value []byte, err error) string {
	where, reason := "", ""
	for ; err != nil && reason == ""; err = errors.Unwrap(err) {
		switch inner := err.(type) {
		case *valueError:
			reason = inner.reason
		case *json.SemanticError:
			at, place, found := valueAt(value, inner.JSONPointer)
			if !found || inner.JSONPointer == "" {
				continue
			}
			value, where = at, where+place
			if inner.GoType != nil {
				t = inner.GoType
			}
		}
	}
	if reason == "" {
		reason = mismatch(t, value)
	}
	if where == "" || name == "" {
		return reason
	}
	return name + where + ": " + reason
}

// valueAt finds a part of a value, and words its place: ".list[2].name".
func valueAt(value jsontext.Value, pointer jsontext.Pointer) (at jsontext.Value, place string, found bool) {
	for token := range pointer.Tokens() {
		switch value.Kind() {
		case '{':
			var members map[string]jsontext.Value
			if json.Unmarshal(value, &members) != nil || members[token] == nil {
				return nil, "", false
			}
			value, place = members[token], place+"."+shorten(token)
		case '[':
			var elements []jsontext.Value
			i, err := strconv.Atoi(token)
			if json.Unmarshal(value, &elements) != nil || err != nil || i < 0 || i >= len(elements) {
				return nil, "", false
			}
			value, place = elements[i], place+"["+token+"]"
		default:
			return nil, "", false
		}
	}
	return value, place, true
}

// DecodeJSON reads content into what v points to: the reverse of AppendJSON,
// with unions and closed sets as parameters are read.
func DecodeJSON(text []byte, v any) error {
	if err := json.Unmarshal(text, v, decodeOptions); err != nil {
		return errors.New(refusal("content", reflect.TypeOf(v).Elem(), text, err))
	}
	return nil
}
