// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/plexus-go/plexus/plugin"
)

// MaxBatch is how many members a batch may have.
const MaxBatch = 1024

// Request is one call that a client asked for, or what was wrong with it.
type Request struct {
	// ID is the id as it was sent, JSON text; nil for a notification, which
	// asks for no answer.
	ID []byte
	// Method is the name of a top-level method: "registry-hub.call".
	Method string
	// Params is JSON text, nil where there are none.
	Params []byte
	// Fault is what was wrong with the request; nil if it is well-formed.
	Fault *Fault
}

// Fault is an error of JSON-RPC, the answer to a request that starts nothing.
type Fault struct {
	Code    int
	Message string
	Data    string // what exactly was wrong; empty for nothing more to say
}

var _ error = (*Fault)(nil)

func (f *Fault) Error() string {
	if f.Data == "" {
		return f.Message
	}
	return f.Message + ": " + f.Data
}

// The faults that carry no data. They are shared: don't change them.
var (
	ParseError     = &Fault{Code: plugin.CodeParseError, Message: "Parse error"}
	InvalidRequest = &Fault{Code: plugin.CodeInvalidRequest, Message: "Invalid request"}
	MethodNotFound = &Fault{Code: plugin.CodeMethodNotFound, Message: "Method not found"}
)

// InvalidParams is the fault of parameters that can't be used.
func InvalidParams(data string) *Fault {
	return &Fault{Code: plugin.CodeInvalidParams, Message: "Invalid params", Data: data}
}

// TooLarge is the fault of a message over the limit of so many bytes.
func TooLarge(limit int64) *Fault {
	return &Fault{
		Code:    plugin.CodeTooLarge,
		Message: "Request is too big",
		Data:    fmt.Sprintf("Exceeded max limit of %d", limit),
	}
}

// Message is what one frame holds: one request, or a batch of them.
type Message struct {
	Request Request   // where Batch is nil
	Batch   []Request // not empty, else
}

// Parse reads a frame. The slices of the message are parts of frame. A frame
// that is no message at all is returned as a request with a Fault.
func Parse(frame []byte) Message {
	frame = bytes.TrimLeft(frame, " \t\r\n")
	if len(frame) == 0 || frame[0] != '{' && frame[0] != '[' {
		return Message{Request: Request{Fault: ParseError}}
	}
	p := parsers.Get().(*parser)
	if len(frame) <= 64<<10 { // or the pool would keep large frames alive
		defer parsers.Put(p)
	}
	p.reset(frame)
	var m Message
	if frame[0] == '[' {
		m = p.batch()
	} else {
		m.Request = p.request()
	}
	if p.failed || !p.atEnd() {
		return Message{Request: Request{Fault: ParseError}}
	}
	return m
}

// parser reads one frame. Once failed, the frame is not JSON that this
// package accepts, and whatever was read of it is void.
type parser struct {
	frame  []byte
	buffer bytes.Buffer
	dec    *jsontext.Decoder
	failed bool
}

var parsers = sync.Pool{New: func() any { return &parser{dec: jsontext.NewDecoder(new(bytes.Buffer))} }}

func (p *parser) reset(frame []byte) {
	p.frame, p.failed = frame, false
	p.buffer = *bytes.NewBuffer(frame)
	p.dec.Reset(&p.buffer)
}

// value returns the next value as a part of the frame.
func (p *parser) value() []byte {
	v, err := p.dec.ReadValue()
	if err != nil {
		p.failed = true
		return nil
	}
	end := int(p.dec.InputOffset())
	return p.frame[end-len(v) : end : end]
}

// token skips a token whose kind is known.
func (p *parser) token() {
	if _, err := p.dec.ReadToken(); err != nil {
		p.failed = true
	}
}

// atEnd tells that nothing but space follows.
func (p *parser) atEnd() bool {
	return len(bytes.TrimLeft(p.frame[p.dec.InputOffset():], " \t\r\n")) == 0
}

func (p *parser) batch() Message {
	p.token()
	var m Message
	for !p.failed && p.dec.PeekKind() != ']' {
		switch {
		case len(m.Batch) == MaxBatch:
			p.value()
			m.Request.Fault = &Fault{Code: plugin.CodeInvalidRequest, Message: "Invalid request",
				Data: fmt.Sprintf("a batch has at most %d members", MaxBatch)}
		case p.dec.PeekKind() == '{':
			m.Batch = append(m.Batch, p.request())
		default:
			p.value()
			m.Batch = append(m.Batch, Request{Fault: InvalidRequest})
		}
	}
	p.token()
	if m.Request.Fault != nil || len(m.Batch) == 0 {
		m.Batch = nil
		if m.Request.Fault == nil {
			m.Request.Fault = InvalidRequest
		}
	}
	return m
}

var (
	keyJSONRPC = []byte(`"jsonrpc"`)
	keyID      = []byte(`"id"`)
	keyMethod  = []byte(`"method"`)
	keyParams  = []byte(`"params"`)
	version2   = []byte(`"2.0"`)
)

// request reads an object.
func (p *parser) request() Request {
	var jsonrpc, id, method, params []byte
	any := false
	p.token()
	for !p.failed && p.dec.PeekKind() == '"' {
		key := plain(p.value())
		value := p.value()
		switch {
		case bytes.Equal(key, keyJSONRPC):
			jsonrpc, any = value, true
		case bytes.Equal(key, keyID):
			id, any = value, true
		case bytes.Equal(key, keyMethod):
			method, any = value, true
		case bytes.Equal(key, keyParams):
			params = value
		}
	}
	p.token()
	if !any {
		// Nothing of a request is there. Hubs in the field answer so.
		return Request{Fault: ParseError}
	}
	if id != nil && !validID(id) {
		return Request{Fault: InvalidRequest}
	}
	r := Request{ID: id, Params: params}
	if !bytes.Equal(plain(jsonrpc), version2) || len(method) == 0 || method[0] != '"' {
		r.Fault = InvalidRequest
		return r
	}
	name, err := jsontext.AppendUnquote(nil, method)
	if err != nil {
		r.Fault = InvalidRequest
		return r
	}
	r.Method = string(name)
	return r
}

// plain returns a string's shortest spelling: "\u0069d" is "id" too.
func plain(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	s, err := jsontext.AppendUnquote(nil, text)
	if err != nil {
		return text
	}
	quoted, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return text
	}
	return quoted
}

// validID takes a string, null, and a number without fraction or exponent.
func validID(id []byte) bool {
	switch jsontext.Value(id).Kind() {
	case '"', 'n':
		return true
	case '0':
		return !bytes.ContainsAny(id, ".eE")
	}
	return false
}
