// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"bytes"
	"cmp"
	stdjson "encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"
)

// parameters decodes the parameters of one method into its struct.
type parameters struct {
	schema *jsonschema.Schema // nil where there are none
	fields []field
	byName map[string]int
	// bare tells that a value that is not an object stands for the first
	// parameter: no other one is required.
	bare bool
}

func parametersOf(t reflect.Type) (*parameters, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is not a struct, whose fields are the parameters (None is for none)", t)
	}
	fields, err := fieldsOf(t)
	if err != nil {
		return nil, err
	}
	p := &parameters{fields: fields, byName: map[string]int{}}
	if len(p.fields) == 0 {
		return p, nil
	}
	if len(p.fields) > maxParameters {
		return nil, fmt.Errorf("%s has %d fields, more than %d", t, len(p.fields), maxParameters)
	}
	inf := newInference()
	s, err := inf.structSchema(t)
	if err != nil {
		return nil, err
	}
	if s.OneOf != nil {
		return nil, fmt.Errorf("%s is a union, not a struct of parameters", t)
	}
	s.Defs = inf.allDefs()
	p.bare = true
	shapes := map[reflect.Type]*shape{}
	for i, f := range p.fields {
		p.byName[f.name] = i
		p.fields[i].shape = shapeOf(f.typ, shapes)
		if f.fallback != "" && f.fallback[0] != '"' && readsText(pointed(f.typ)) {
			f.fallback = string(quote(f.fallback)) // a string may be written without its quotes
			p.fields[i] = f
		}
		switch {
		case f.fallback != "":
			if !f.optional {
				return nil, fmt.Errorf("%s.%s has a default, but is not optional", t, f.name)
			}
			value := reflect.New(f.typ)
			if err := json.Unmarshal([]byte(f.fallback), value.Interface(), decodeOptions); err != nil {
				return nil, fmt.Errorf("%s.%s: the default %s is no value of it: %w", t, f.name, f.fallback, err)
			}
			if pointed(f.typ) == reflect.TypeFor[time.Duration]() { // in the form that the schema promises
				text, err := AppendJSON(nil, value.Interface())
				if err != nil {
					return nil, fmt.Errorf("%s.%s: default %s: %w", t, f.name, f.fallback, err)
				}
				f.fallback = string(text)
				p.fields[i] = f
			}
			s.Properties[f.name].Default = stdjson.RawMessage(f.fallback)
		case f.optional:
			s.Properties[f.name].Default = stdjson.RawMessage("null")
		case i > 0:
			p.bare = false
		}
	}
	p.schema = s
	return p, nil
}

// maxParameters bounds the parameters of one method, so that the values of a
// call are collected without an allocation.
const maxParameters = 32

// pointed is a type, or what it points to.
func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

var (
	null       = []byte("null")
	rawMessage = reflect.TypeFor[stdjson.RawMessage]()
	anyValue   = reflect.TypeFor[jsontext.Value]()
)

func isNull(raw []byte) bool { return len(raw) == 0 || bytes.Equal(raw, null) }

// decode fills in, the method's parameter struct. Fields are looked at in the
// order of their declaration, so the same mistake is always told the same way.
func (p *parameters) decode(raw []byte, positional bool, in reflect.Value) error {
	if len(p.fields) == 0 {
		return nil
	}
	raw = bytes.Trim(raw, " \t\r\n")
	var values [maxParameters][]byte
	oneByOne := false
	switch {
	case len(raw) > 0 && raw[0] == '{':
		if err := p.collect(raw, &values); err != nil {
			return err
		}
	case positional && (isNull(raw) || raw[0] == '['):
		oneByOne = true
		n, err := collectPositional(raw, &values)
		if err != nil {
			return err
		}
		for _, f := range p.fields[min(n, len(p.fields)):] {
			if !f.optional {
				return &ParamsError{Reason: "No more params"}
			}
		}
	case p.bare:
		values[0] = raw
		if raw == nil {
			values[0] = null
		}
		if f := p.fields[0]; isNull(raw) && !f.optional {
			return &ParamsError{Reason: mismatch(f.typ, null), Offset: len(raw)}
		}
		if !jsontext.Value(values[0]).IsValid() {
			return &ParamsError{Reason: "not valid JSON"}
		}
	default:
		return &ParamsError{Reason: "expected object"}
	}
	for i, f := range p.fields {
		value := values[i]
		switch {
		case value == nil && !f.optional:
			return &ParamsError{Missing: f.name, Offset: len(raw)}
		case f.optional && isNull(value):
			if f.fallback == "" {
				continue
			}
			value = []byte(f.fallback)
		case f.typ == rawMessage:
			// A part of raw, which belongs to the call, need not be copied.
			in.FieldByIndex(f.index).SetBytes(slices.Clip(value))
			continue
		}
		var reason string
		if isNull(value) && !takesNull(f.typ) {
			reason = mismatch(f.typ, value)
		} else if f.shape != nil && !f.shape.plain && tooDeep(value) {
			reason = fmt.Sprintf("%s: nested deeper than %d levels", f.name, mostNested)
		} else if err := json.Unmarshal(value, in.FieldByIndex(f.index).Addr().Interface(), decodeOptions); err != nil {
			reason = refusal(f.name, f.typ, value, err)
		} else if f.shape != nil {
			if err := f.shape.check(f.name, value); err != nil {
				return err
			}
			continue
		} else {
			continue
		}
		if oneByOne {
			return &ParamsError{Reason: reason, Offset: len(value), Text: value}
		}
		return &ParamsError{Reason: reason, Offset: offsetIn(raw, value)}
	}
	return nil
}

// collect finds the members of an object that are parameters. Values are
// parts of raw.
func (p *parameters) collect(raw []byte, values *[maxParameters][]byte) error {
	r := readers.Get().(*reader)
	defer r.release()
	dec := r.over(raw)
	if _, err := dec.ReadToken(); err != nil {
		return notJSON(err)
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return notJSON(err)
		}
		i, known := p.lookup(name)
		value, err := dec.ReadValue()
		if err != nil {
			return notJSON(err)
		}
		if known {
			end := int(dec.InputOffset())
			values[i] = raw[end-len(value) : end]
		}
	}
	return atEnd(dec, raw)
}

// lookup finds the parameter of a quoted name, by its shortest spelling
// without a copy.
func (p *parameters) lookup(quoted []byte) (i int, known bool) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		i, known = p.byName[string(quoted[1:len(quoted)-1])]
		return i, known
	}
	name, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return 0, false
	}
	i, known = p.byName[string(name)]
	return i, known
}

// collectPositional finds the elements of an array and tells how many there
// are; more than can be parameters are left alone.
func collectPositional(raw []byte, values *[maxParameters][]byte) (n int, err error) {
	if isNull(raw) {
		return 0, nil
	}
	r := readers.Get().(*reader)
	defer r.release()
	dec := r.over(raw)
	if _, err := dec.ReadToken(); err != nil {
		return 0, notJSON(err)
	}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return 0, notJSON(err)
		}
		if n < maxParameters {
			end := int(dec.InputOffset())
			values[n] = raw[end-len(value) : end]
			n++
		}
	}
	if err := atEnd(dec, raw); err != nil {
		return 0, err
	}
	return n, nil
}

// atEnd reads the end of the object or array that is all of raw.
func atEnd(dec *jsontext.Decoder, raw []byte) error {
	if _, err := dec.ReadToken(); err != nil {
		return notJSON(err)
	}
	if int(dec.InputOffset()) != len(raw) {
		return &ParamsError{Reason: "not valid JSON: more than one value"}
	}
	return nil
}

// reader is a decoder that can be used again.
type reader struct {
	buffer bytes.Buffer
	dec    *jsontext.Decoder
}

var readers = sync.Pool{New: func() any { return &reader{dec: jsontext.NewDecoder(new(bytes.Buffer))} }}

func (r *reader) over(raw []byte) *jsontext.Decoder {
	r.buffer = *bytes.NewBuffer(raw)
	r.dec.Reset(&r.buffer)
	return r.dec
}

// release gives the decoder back, and lets go of parameters that are large.
func (r *reader) release() {
	if r.buffer.Cap() <= 64<<10 {
		readers.Put(r)
	}
}

func notJSON(err error) *ParamsError {
	return &ParamsError{Reason: "not valid JSON: " + err.Error()}
}

// offsetIn returns where value, a part of raw, ends; 0 where it is not one.
func offsetIn(raw, value []byte) int {
	if i := cap(raw) - cap(value); len(value) > 0 && i >= 0 && i < len(raw) {
		return i + len(value)
	}
	return 0
}

// mismatch words why value can't be a t, in the terms that clients of other
// hubs know.
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
		got = "invalid type: string " + strconv.Quote(shorten(s))
		if readsText(t) {
			got = "invalid value: string " + strconv.Quote(shorten(s))
		}
	case '0':
		switch {
		case bytes.ContainsAny(value, ".eE"):
			got = "invalid type: floating point `" + shorten(text) + "`"
		case integerSchema(t.Kind()) != nil && t != reflect.TypeFor[time.Duration]():
			got = "invalid value: integer `" + shorten(text) + "`"
		default:
			got = "invalid type: integer `" + shorten(text) + "`"
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

// readsText tells that a t is decoded from a string, so that a string which
// is refused has the right type and the wrong value.
func readsText(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Duration]() || t.Kind() == reflect.String || isBytes(t) || isText(t)
}

// expected names a type as the errors of other hubs do.
func expected(t reflect.Type) string {
	switch zero := reflect.Zero(t).Interface().(type) {
	case Schematic:
		if words, ok := typeWords[zero.JSONSchema().Type]; ok {
			return words
		}
		return t.Name()
	case time.Time:
		return "a date-time (RFC 3339)"
	case time.Duration:
		return "a duration, such as 90s or PT1M30S"
	}
	if isBytes(t) {
		return "a string of base64"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64:
		return "i64"
	case reflect.Uint, reflect.Uint64:
		return "u64"
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return "i" + strconv.Itoa(t.Bits())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return "u" + strconv.Itoa(t.Bits())
	case reflect.Float32, reflect.Float64:
		return "f" + strconv.Itoa(t.Bits())
	case reflect.Slice, reflect.Array:
		return "a sequence"
	case reflect.Map:
		return "a map"
	default:
		name, _, _ := strings.Cut(t.Name(), "[") // a generic type's own name says enough
		return cmp.Or(name, "a map")
	}
}

// typeWords name the types of JSON Schema as expected does.
var typeWords = map[string]string{
	"object": "a map", "array": "a sequence", "string": "a string",
	"boolean": "a boolean", "integer": "an integer", "number": "a number", "null": "null",
}

// shorten keeps an error readable whatever was sent.
func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
