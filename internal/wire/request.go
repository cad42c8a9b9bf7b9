// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/plexus-go/plexus/plugin"
)

// The bounds of a message, whatever its length.
const (
	// MaxBatch is how many members a batch may have.
	MaxBatch = 1024
	// MaxDepth is how deep [Parse] lets a message be nested; the message itself
	// is the first level.
	MaxDepth = 64
	// MaxID and MaxMethod are how long the JSON text of an id and the name of a
	// method may be, in bytes: an id is kept while its call runs, and sent back.
	MaxID     = 256
	MaxMethod = 1024
)

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

// tooDeep is the fault of a message that is nested deeper than so many levels.
// It is no parse error, since the rest of the message was not looked at, and
// not one of params, which need not be where it is deep.
func tooDeep(levels int) *Fault {
	return invalid("the message is nested deeper than %d levels, the limit", levels)
}

func invalid(format string, args ...any) *Fault {
	return &Fault{Code: plugin.CodeInvalidRequest, Message: "Invalid request", Data: fmt.Sprintf(format, args...)}
}

// Message is what one frame holds: one request, or a batch of them.
type Message struct {
	Request Request   // where Batch is nil
	Batch   []Request // not empty, else
	// Deep tells that the message is over the limit of depth, as the fault of
	// Request says.
	Deep bool
}

// Parse reads a frame that is nested at most MaxDepth levels deep. The slices
// of the message are parts of frame. A frame that is no message at all is
// returned as a request with a Fault.
func Parse(frame []byte) Message { return ParseWithin(frame, MaxDepth) }

// ParseWithin is Parse with another limit of depth, at least 2. One level too
// many and the rest of the frame is not read: the fault answers the id that
// stood before it, or none. In a batch it is the fault of the whole batch.
func ParseWithin(frame []byte, depth int) Message {
	frame = bytes.TrimLeft(frame, " \t\r\n")
	if len(frame) == 0 || frame[0] != '{' && frame[0] != '[' {
		return Message{Request: Request{Fault: ParseError}}
	}
	p := parsers.Get().(*parser)
	if len(frame) <= 64<<10 { // or the pool would keep large frames alive
		defer parsers.Put(p)
	}
	p.reset(frame, depth)
	var m Message
	if frame[0] == '[' {
		m = p.batch()
	} else {
		m.Request = p.request()
	}
	switch {
	case p.deep:
		return Message{Request: Request{ID: m.Request.ID, Fault: tooDeep(depth)}, Deep: true}
	case p.failed || !p.atEnd():
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
	most   int  // the depth that must be looked at; 0 where it can't be passed
	deep   bool // failed since it is passed
}

var parsers = sync.Pool{New: func() any { return &parser{dec: jsontext.NewDecoder(new(bytes.Buffer))} }}

func (p *parser) reset(frame []byte, depth int) {
	p.frame, p.failed, p.deep, p.most = frame, false, false, 0
	// Nearly every frame opens fewer levels than it may be deep. To count them
	// costs next to nothing, and such a frame is read value by value.
	if bytes.Count(frame, []byte{'{'})+bytes.Count(frame, []byte{'['}) > depth {
		p.most = depth
	}
	p.buffer = *bytes.NewBuffer(frame)
	p.dec.Reset(&p.buffer)
}

// value returns the next value as a part of the frame.
func (p *parser) value() []byte {
	if p.most > 0 {
		return p.measured()
	}
	return p.whole()
}

// whole is value, whatever its depth.
func (p *parser) whole() []byte {
	v, err := p.dec.ReadValue()
	if err != nil {
		p.failed = true
		return nil
	}
	end := int(p.dec.InputOffset())
	return p.frame[end-len(v) : end : end]
}

// measured is value, token by token, up to the first that is too deep. Nothing
// here calls itself, so depth costs no stack.
func (p *parser) measured() []byte {
	outside := p.dec.StackDepth()
	begin := -1
	for begin < 0 || p.dec.StackDepth() > outside {
		kind := p.dec.PeekKind()
		if (kind == '{' || kind == '[') && p.dec.StackDepth() >= p.most {
			p.failed, p.deep = true, true
			return nil
		}
		if begin < 0 && kind != '{' && kind != '[' {
			return p.whole()
		}
		if p.token(); p.failed {
			return nil
		}
		if begin < 0 {
			begin = int(p.dec.InputOffset()) - 1
		}
	}
	end := int(p.dec.InputOffset())
	return p.frame[begin:end:end]
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
			m.Request.Fault = invalid("a batch has at most %d members", MaxBatch)
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
	if len(id) > MaxID { // nor is it sent back
		return Request{Fault: invalid("the id is longer than %d bytes", MaxID)}
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
	if len(name) > MaxMethod {
		r.Fault = invalid("the method's name is longer than %d bytes", MaxMethod)
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
