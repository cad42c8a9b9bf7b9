// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object whose members keep the order in which they came,
// or were given: a person wrote them in that order for a reason.
type object struct {
	names  []string
	values map[string]any
}

var _ json.Marshaler = (*object)(nil)

// newObject makes an object of names, each followed by its value.
func newObject(members ...any) *object {
	o := &object{values: map[string]any{}}
	for i := 0; i+1 < len(members); i += 2 {
		o.set(members[i].(string), members[i+1])
	}
	return o
}

// set gives a member its value, at its old place or as the last one.
func (o *object) set(name string, value any) {
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// lookup finds a member. It and those below may be asked of nil, which has no
// members.
func (o *object) lookup(name string) (value any, ok bool) {
	if o == nil {
		return nil, false
	}
	value, ok = o.values[name]
	return value, ok
}

// get is a member; nil for none.
func (o *object) get(name string) any {
	value, _ := o.lookup(name)
	return value
}

// text is a member that is a text; empty for none, as for another type.
func (o *object) text(name string) string {
	text, _ := o.get(name).(string)
	return text
}

// list is a member that is a list.
func (o *object) list(name string) []any {
	list, _ := o.get(name).([]any)
	return list
}

// object is a member that is an object.
func (o *object) object(name string) *object {
	inner, _ := o.get(name).(*object)
	return inner
}

// is reports whether a member is true.
func (o *object) is(name string) bool { return o.get(name) == true }

// MarshalJSON writes the members in their order.
func (o *object) MarshalJSON() ([]byte, error) { return encode(o) }

// encode is json.Marshal without the escapes that are for web pages.
func encode(value any) ([]byte, error) {
	var buf bytes.Buffer
	err := write(&buf, value)
	return buf.Bytes(), err
}

// write encodes what parse returns, each byte once: the package would look at
// what an object wrote again for each object around it.
func write(buf *bytes.Buffer, value any) error {
	switch v := value.(type) {
	case *object:
		buf.WriteByte('{')
		for i, name := range v.names {
			if i > 0 {
				buf.WriteByte(',')
			}
			if err := write(buf, name); err != nil {
				return err
			}
			buf.WriteByte(':')
			if err := write(buf, v.values[name]); err != nil {
				return err
			}
		}
		buf.WriteByte('}')
		return nil
	case []any:
		buf.WriteByte('[')
		for i, element := range v {
			if i > 0 {
				buf.WriteByte(',')
			}
			if err := write(buf, element); err != nil {
				return err
			}
		}
		buf.WriteByte(']')
		return nil
	}
	encoder := json.NewEncoder(buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1) // a newline
	return nil
}

// parse reads one JSON value. What comes out is nil, a bool, a json.Number, a
// string, a []any or an *object.
func parse(text []byte) (any, error) {
	// The package's own check first: it bounds how deep values are nested,
	// and knows what follows the value. All tokens are valid then.
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(whole))
	decoder.UseNumber()
	return next(decoder), nil
}

// next is the next value in a valid text.
func next(decoder *json.Decoder) any {
	token, _ := decoder.Token()
	switch token {
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			list = append(list, next(decoder))
		}
		_, _ = decoder.Token() // the bracket
		return list
	case json.Delim('{'):
		o := newObject()
		for decoder.More() {
			name, _ := decoder.Token()
			o.set(name.(string), next(decoder))
		}
		_, _ = decoder.Token()
		return o
	}
	return token
}

// parseObject reads an object; nil for what is none.
func parseObject(text []byte) *object {
	value, err := parse(text)
	if err != nil {
		return nil
	}
	o, _ := value.(*object)
	return o
}

// depth is how deep the values in one are nested.
func depth(value any) (inner int) {
	switch v := value.(type) {
	case *object:
		for _, member := range v.values {
			inner = max(inner, depth(member))
		}
	case []any:
		for _, element := range v {
			inner = max(inner, depth(element))
		}
	default:
		return 0
	}
	return inner + 1
}
