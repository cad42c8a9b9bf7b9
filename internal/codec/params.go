// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"
)

// Parameters decodes the parameters of one method into its struct.
type Parameters struct {
	checker
	schema *jsonschema.Schema // nil where there are none
	// required counts the parameters up to the last required one. If it is less
	// than two, a value that is not an object is the first parameter.
	required int
}

// maxParameters bounds the parameters of one method, so that the values of a
// call are collected without an allocation.
const maxParameters = 32

// ParametersOf makes the parameters of a struct type, whose fields they are.
func ParametersOf(t reflect.Type) (*Parameters, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is not a struct, whose fields are the parameters (None is for none)", t)
	}
	inf := newInference()
	schema, err := inf.structSchema(t)
	if err != nil {
		return nil, err
	}
	schema.Defs = inf.defs
	p := &Parameters{schema: schema}
	if err := p.addMembers(t, map[reflect.Type]*checker{}); err != nil {
		return nil, err
	}
	switch {
	case p.union != nil:
		return nil, fmt.Errorf("%s is a union, not a struct of parameters", t)
	case len(p.members) > maxParameters:
		return nil, fmt.Errorf("%s has %d fields, more than %d", t, len(p.members), maxParameters)
	case len(p.members) == 0:
		p.schema = nil
	}
	for i := range p.members {
		f := &p.members[i]
		if !f.optional {
			p.required = i + 1
		}
		f.fills = f.check.hasDefaults(map[*checker]bool{})
		if f.optional && f.fallback == "" {
			p.schema.Properties[f.name].Default = stdjson.RawMessage("null")
		}
	}
	return p, nil
}

// Schema returns the JSON Schema, with these examples; nil for no parameters.
func (p *Parameters) Schema(examples []stdjson.RawMessage) (stdjson.RawMessage, error) {
	if p.schema == nil {
		return nil, nil
	}
	for _, e := range examples {
		p.schema.Examples = append(p.schema.Examples, e)
	}
	return stdjson.Marshal(p.schema)
}

var null = []byte("null")

func isNull(raw []byte) bool { return len(raw) == 0 || bytes.Equal(raw, null) }

// Decode fills the struct that in points to, and lets it validate itself: see
// plugin.Method.Bind. Fields are decoded in the order of their declaration, so
// the same mistake is always reported the same way.
func (p *Parameters) Decode(raw []byte, positional bool, in any) *Invalid {
	raw = bytes.Trim(raw, " \t\r\n")
	if len(p.members) > 0 {
		if bad := p.decode(raw, positional, reflect.ValueOf(in).Elem()); bad != nil {
			return bad
		}
	}
	if v, ok := in.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return invalid(err.Error()).at(raw, len(raw))
		}
	}
	return nil
}

func (p *Parameters) decode(raw []byte, positional bool, in reflect.Value) *Invalid {
	var values [maxParameters][]byte
	n, byPosition := 0, positional && (isNull(raw) || raw[0] == '[')
	switch {
	case isNull(raw) && (byPosition || p.required == 0):
		// None is given.
	case byPosition, len(raw) > 0 && raw[0] == '{':
		var bad *Invalid
		if n, bad = p.collect(raw, &values); bad != nil {
			return bad
		}
	case p.required > 1:
		return invalid("expected object")
	case p.required == 1 && isNull(raw):
		return invalid(p.members[0].name+": "+mismatch(p.members[0].typ, null)).at(raw, len(raw))
	case !jsontext.Value(raw).IsValid():
		return invalid("not valid JSON")
	default:
		values[0] = raw
	}
	if byPosition && n < p.required {
		return invalid("No more params")
	}
	for i := range p.members {
		f, value := &p.members[i], values[i]
		if value == nil && !f.optional {
			return missing(f.name).at(raw, len(raw))
		}
		if reason, bad := f.decode(value, in.FieldByIndex(f.index)); bad != nil {
			return bad
		} else if reason != "" {
			if byPosition {
				return invalid(reason).at(value, len(value))
			}
			return invalid(reason).at(raw, offsetIn(raw, value))
		}
	}
	return nil
}

// decode decodes and checks one value; nil is one that was not given. What is
// wrong with the value itself is a reason, what is wrong inside of it is bad.
func (f *field) decode(value []byte, into reflect.Value) (reason string, bad *Invalid) {
	switch {
	case f.optional && isNull(value):
		if f.fallback == "" {
			return "", nil
		}
		value = []byte(f.fallback)
	case f.typ == rawMessage:
		// A part of the parameters, which belong to the call, need not be copied.
		into.SetBytes(slices.Clip(value))
		return "", nil
	}
	if isNull(value) && !takesNull(f.typ) {
		return f.name + ": " + mismatch(f.typ, value), nil
	}
	if f.check != nil && !f.check.onlyNull && TooDeepAt(value, maxDepth) < len(value) {
		return fmt.Sprintf("%s: nested deeper than %d levels", f.name, maxDepth), nil
	}
	if f.fills {
		value = f.check.fill(value)
	}
	if err := json.Unmarshal(value, into.Addr().Interface(), decodeOptions); err != nil {
		return reasonOf(f.name, f.typ, value, err), nil
	}
	return "", f.check.check(f.name, value)
}

// collect finds the values of an object or an array, and counts them; those that
// are no parameters are ignored. Values are parts of raw.
func (p *Parameters) collect(raw []byte, values *[maxParameters][]byte) (n int, bad *Invalid) {
	r := readers.Get().(*reader)
	defer r.release()
	dec := r.over(raw)
	_, err := dec.ReadToken()
	for ; err == nil && more(dec); n++ {
		i, known := n, n < maxParameters
		if raw[0] == '{' {
			var name jsontext.Value
			if name, err = dec.ReadValue(); err != nil {
				break
			}
			i, known = p.lookup(name)
		}
		var value jsontext.Value
		if value, err = dec.ReadValue(); err == nil && known {
			end := int(dec.InputOffset())
			values[i] = raw[end-len(value) : end]
		}
	}
	if err == nil {
		_, err = dec.ReadToken()
	}
	switch {
	case err != nil:
		return 0, invalid("not valid JSON: " + err.Error())
	case int(dec.InputOffset()) != len(raw):
		return 0, invalid("not valid JSON: more than one value")
	}
	return n, nil
}

// lookup finds the parameter of a quoted name. A name without escapes is not
// copied.
func (p *Parameters) lookup(quoted []byte) (i int, known bool) {
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

// release returns the decoder to the pool, unless it holds large parameters.
func (r *reader) release() {
	if r.buffer.Cap() <= 64<<10 {
		readers.Put(r)
	}
}

// offsetIn returns where value, a part of raw, ends; 0 where it is not one.
func offsetIn(raw, value []byte) int {
	if i := cap(raw) - cap(value); len(value) > 0 && i >= 0 && i < len(raw) {
		return i + len(value)
	}
	return 0
}
