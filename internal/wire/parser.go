// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// parser reads one frame, whoever sent it. What it returns are parts of the
// frame. Once it has an err, the frame is not JSON that this package accepts, and
// whatever was read of it is void.
type parser struct {
	frame  []byte
	buffer bytes.Buffer
	dec    *jsontext.Decoder
	err    error
}

var parsers = sync.Pool{New: func() any { return &parser{dec: jsontext.NewDecoder(new(bytes.Buffer))} }}

// newParser returns a parser for a frame, to be given back with free. It is
// strict unless options say otherwise: no name may stand twice in one object,
// and text must be UTF-8.
func newParser(frame []byte, options ...jsontext.Options) *parser {
	p := parsers.Get().(*parser)
	p.frame, p.err = frame, nil
	p.buffer = *bytes.NewBuffer(frame)
	p.dec.Reset(&p.buffer, options...)
	return p
}

func (p *parser) free() {
	if len(p.frame) <= 64<<10 { // or the pool would keep large frames alive
		parsers.Put(p)
	}
}

// object reads an object, member by member. A value that each does not read is
// skipped, and so is what is no object, as null is where one is optional.
func (p *parser) object(each func(name []byte)) {
	if p.dec.PeekKind() != '{' {
		p.value()
		return
	}
	p.token()
	for p.err == nil && p.dec.PeekKind() == '"' {
		name := unquoted(p.value())
		begin := p.dec.InputOffset()
		if each(name); p.dec.InputOffset() == begin {
			p.value()
		}
	}
	p.token()
}

// value returns the next value.
func (p *parser) value() []byte {
	v, err := p.dec.ReadValue()
	if err != nil {
		p.err = err
		return nil
	}
	end := int(p.dec.InputOffset())
	return p.frame[end-len(v) : end : end]
}

// token skips a token whose kind is known.
func (p *parser) token() {
	if _, err := p.dec.ReadToken(); err != nil {
		p.err = err
	}
}

// atEnd reports whether nothing but space follows.
func (p *parser) atEnd() bool {
	return len(bytes.TrimLeft(p.frame[p.dec.InputOffset():], space)) == 0
}

// space is what JSON takes for space.
const space = " \t\r\n"

// text reads a string; what is none is "".
func (p *parser) text() string { return text(p.value()) }

// texts reads an array of strings.
func (p *parser) texts() []string {
	if p.dec.PeekKind() != '[' {
		p.value()
		return nil
	}
	var all []string
	p.token()
	for p.err == nil && p.dec.PeekKind() != ']' && p.dec.PeekKind() != 0 {
		all = append(all, p.text())
	}
	p.token()
	return all
}

// scalar reads a string, or the digits of a number; anything else is "".
func (p *parser) scalar() string {
	value := p.value()
	if jsontext.Value(value).Kind() == '0' {
		return string(value)
	}
	return text(value)
}

// unquoted returns what a string means, and anything else as it is. What
// needs no decoding is not copied.
func unquoted(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return value
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	s, _ := jsontext.AppendUnquote(nil, value) // repairs what is not UTF-8
	return s
}

// text returns what a string means; what is none means "".
func text(value []byte) string {
	if !isString(value) {
		return ""
	}
	return strings.ToValidUTF8(string(unquoted(value)), "\uFFFD")
}

func isString(value []byte) bool { return len(value) >= 2 && value[0] == '"' }

// raw returns a pointer to JSON text, as package jsonrpc2 has it; nil for none.
func raw(text []byte) *json.RawMessage {
	if text == nil {
		return nil
	}
	message := json.RawMessage(text)
	return &message
}

// Text returns the JSON text that message points to; nil for none.
func Text(message *json.RawMessage) []byte {
	if message == nil {
		return nil
	}
	return *message
}
