// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
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
// that is to blame, in the terms that clients of other hubs know.
func refusal(t reflect.Type, value []byte, err error) string {
	var told *valueError
	if errors.As(err, &told) {
		return told.reason
	}
	for ; err != nil; err = errors.Unwrap(err) {
		inner, ok := err.(*json.SemanticError)
		if !ok || inner.JSONPointer == "" || inner.GoType == nil {
			continue
		}
		t, value = inner.GoType, inner.JSONValue
		switch {
		case value != nil:
		case inner.JSONKind == '"':
			value = []byte(`"…"`) // the decoder keeps the text to itself
		default:
			value = []byte(inner.JSONKind.String())
		}
	}
	return mismatch(t, value)
}

// DecodeJSON reads content into what v points to: the reverse of AppendJSON,
// with unions and closed sets as parameters are read.
func DecodeJSON(text []byte, v any) error {
	if err := json.Unmarshal(text, v, decodeOptions); err != nil {
		return fmt.Errorf("%s", refusal(reflect.TypeOf(v).Elem(), text, err))
	}
	return nil
}
