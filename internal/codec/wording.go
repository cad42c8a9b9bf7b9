// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"bytes"
	"cmp"
	stdjson "encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The errors are worded as other Plexus implementations word them.

// valueError is why a value is rejected, for the caller to read.
type valueError struct {
	reason string
	place  string // of what is wrong within the value, ".kind"; empty for all of it
}

func (e *valueError) Error() string { return e.reason }

// reasonOf says why value, which is called name, was not decoded into a t: where
// the innermost faulty value is, and what is wrong with it.
func reasonOf(name string, t reflect.Type, value []byte, err error) string {
	where, reason := "", ""
	for ; err != nil && reason == ""; err = errors.Unwrap(err) {
		switch inner := err.(type) {
		case *valueError:
			reason, where = inner.reason, where+inner.place
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
	return name + where + ": " + reason
}

// valueAt finds a part of a value, and its place: ".list[2].name".
func valueAt(value jsontext.Value, pointer jsontext.Pointer) (at jsontext.Value, place string, found bool) {
	for token := range pointer.Tokens() {
		switch value.Kind() {
		case '{':
			var members map[string]jsontext.Value
			if json.Unmarshal(value, &members) != nil || members[token] == nil {
				return nil, "", false
			}
			value, place = members[token], place+"."+Shorten(token)
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

// unknownVariant says that got, at a place within the value, is not one of want.
func unknownVariant(got string, want []string, place string) error {
	list := "`" + strings.Join(want, "`, `") + "`"
	switch len(want) {
	case 1:
	case 2:
		list = "`" + want[0] + "` or `" + want[1] + "`"
	default:
		list = "one of " + list
	}
	return &valueError{"unknown variant `" + Shorten(got) + "`, expected " + list, place}
}

// mismatch says why value can't be a t.
func mismatch(t reflect.Type, value []byte) string {
	t = pointed(t)
	text := string(value)
	var got string
	switch jsontext.Value(value).Kind() {
	case 'n':
		got = "invalid type: null"
	case 't', 'f':
		got = "invalid type: boolean `" + text + "`"
	case '"':
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return "not valid JSON: " + err.Error()
		}
		got = "invalid type: string " + strconv.Quote(Shorten(s))
		if readsText(t) {
			got = "invalid value: string " + strconv.Quote(Shorten(s))
		}
	case '0':
		switch isFloat := bytes.ContainsAny(value, ".eE"); {
		case isFloat && (t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64): // it is too large
			got = "invalid value: floating point `" + Shorten(text) + "`"
		case isFloat:
			got = "invalid type: floating point `" + Shorten(text) + "`"
		case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64, integerSchema(t.Kind()) != nil && t != reflect.TypeFor[time.Duration]():
			got = "invalid value: integer `" + Shorten(text) + "`"
		default:
			got = "invalid type: integer `" + Shorten(text) + "`"
		}
	case '[':
		got = "invalid type: sequence"
	case '{':
		got = "invalid type: map"
	default:
		got = "not valid JSON"
	}
	return got + ", expected " + expected(t)
}

var numberType = reflect.TypeFor[stdjson.Number]()

// readsText reports whether a t is decoded from a string: then one that is
// rejected has the right type and the wrong value.
func readsText(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Duration]() || t.Kind() == reflect.String && t != numberType || isBytes(t) || isText(t)
}

// expected names a type.
func expected(t reflect.Type) string {
	switch zero := reflect.Zero(t).Interface().(type) {
	case Schematic:
		s, _ := givenSchema(zero) // it was read before
		if words, ok := typeWords[s.Type]; ok {
			return words
		}
		return t.Name()
	case time.Time:
		return "a date-time (RFC 3339)"
	case time.Duration:
		return "a duration, such as 90s or PT1M30S"
	case stdjson.Number:
		return "a number"
	}
	switch {
	case isText(t) && t.Name() != "":
		return t.Name()
	case isBytes(t):
		return "a string of base64"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Float32, reflect.Float64:
		return "f" + strconv.Itoa(t.Bits())
	case reflect.Slice, reflect.Array:
		return "a sequence"
	case reflect.Map:
		return "a map"
	default:
		if s := integerSchema(t.Kind()); s != nil {
			return s.Format[:1] + strconv.Itoa(t.Bits()) // "i64", "u16"
		}
		name, _, _ := strings.Cut(t.Name(), "[") // a generic type's own name says enough
		return cmp.Or(name, "a map")
	}
}

// typeWords name the types of JSON Schema as expected does.
var typeWords = map[string]string{
	"object": "a map", "array": "a sequence", "string": "a string",
	"boolean": "a boolean", "integer": "an integer", "number": "a number", "null": "null",
}

// Shorten cuts what a caller sent to 64 bytes, so that an error stays
// readable.
func Shorten(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
