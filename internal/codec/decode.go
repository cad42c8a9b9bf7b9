// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Choice is one value of an [Enumerated] type: see plugin.Choice.
type Choice struct {
	Value       string
	Description string // empty for none
	Label       string // how people read it; empty for Value itself
}

// Enumerated is implemented by a string type with a closed set of values.
type Enumerated interface {
	Enum() []Choice
}

// decodeOptions read unions by their declaration, durations, and of an
// enumeration only what it lists, as the schema promises.
var decodeOptions = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(unmarshalUnion),
	json.UnmarshalFromFunc(unmarshalEnumerated),
	json.UnmarshalFromFunc(unmarshalDuration),
	json.UnmarshalFromFunc(unmarshalNumber),
))

// DecodeJSON reads content into what v points to: the reverse of AppendJSON.
// What is missing stays as it is. An error names what is within the content.
func DecodeJSON(text []byte, v any) error {
	if err := json.Unmarshal(text, v, decodeOptions); err != nil {
		return errors.New(strings.TrimPrefix(reasonOf("content", reflect.TypeOf(v).Elem(), text, err), "content: "))
	}
	return nil
}

// DecodeStrictly decodes a value that a caller sent, and checks it as
// parameters are checked: nothing required may be missing or null. name is
// what errors call the value.
func DecodeStrictly[T any](name string, value []byte, into *T) *Invalid {
	t := reflect.TypeFor[T]()
	switch {
	case isNull(value) && !takesNull(t):
		return invalid(name + ": " + mismatch(t, null))
	case TooDeepAt(value, maxDepth) < len(value):
		return invalid(fmt.Sprintf("%s: nested deeper than %d levels", name, maxDepth))
	}
	c := checkerOf(t, map[reflect.Type]*checker{})
	if jsontext.Value(value).IsValid() {
		value = c.fill(value)
	}
	if err := json.Unmarshal(value, into, decodeOptions); err != nil {
		return invalid(reasonOf(name, t, value, err))
	}
	return c.check(name, value)
}

// Invalid says what is wrong with something that a caller sent.
type Invalid struct {
	Reason string // "missing field: name"
	// Detail says it as the data of a JSON-RPC error does, with the place
	// where that is known: "missing field `name` at line 1 column 2".
	Detail string
}

func invalid(reason string) *Invalid { return &Invalid{reason, reason} }

func missing(name string) *Invalid {
	return &Invalid{"missing field: " + name, "missing field `" + name + "`"}
}

// at adds the place to the detail: after that many bytes of text.
func (e *Invalid) at(text []byte, offset int) *Invalid {
	if 0 < offset && offset <= len(text) {
		before := text[:offset]
		line := 1 + bytes.Count(before, []byte("\n"))
		column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
		e.Detail = fmt.Sprintf("%s at line %d column %d", e.Detail, line, column)
	}
	return e
}

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
		return &valueError{reason: mismatch(v.Type(), text)}
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
		return unknownVariant(value, values, "")
	}
	v.SetString(value)
	return nil
}
