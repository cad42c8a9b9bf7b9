// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/codec"
)

// The bounds of a message, whatever its length.
const (
	// MaxBatch is how many members a batch may have.
	MaxBatch = 1024
	// MaxDepth is how deep a message may be nested unless the hub's owner says
	// otherwise; the message itself is the first level.
	MaxDepth = 64
	// MaxID and MaxMethod are how long the JSON text of an id and the name of a
	// method may be, in bytes: an id is kept while its call runs, and sent back.
	MaxID     = 256
	MaxMethod = 1024
)

// Request is one call that a client asked for, or what was wrong with it.
//
// Method is the name of a top-level method ("registry-hub.call"), Params is
// JSON text, and Notif reports that there is no id, so that no answer is
// wanted. ID is zero for an id that the type can't hold: null, a negative
// number, one beyond 64 bits. IDText has them all.
type Request struct {
	jsonrpc2.Request
	// IDText is the id as it was sent, JSON text; nil for a notification.
	IDText json.RawMessage
	// Err is what was wrong with the request; nil if it is well-formed.
	Err *jsonrpc2.Error
}

// Message is what one frame holds: one request, or a batch of them.
type Message struct {
	Request Request   // where Batch is nil
	Batch   []Request // not empty, else
	// Deep reports that the message is over the limit of depth, as Request.Err
	// says.
	Deep bool
}

// Parse reads a frame that is nested at most maxDepth levels deep, which must
// be 2 or more. The slices of the message are parts of frame. A frame that is
// no message at all is returned as a request with an Err.
//
// A request that is JSON, but not what this package accepts, is answered under its
// id, and the other members of its batch are read. A frame that is an answer is a
// notification, which starts nothing: two peers could answer each other for ever.
//
// A frame that is too deep is refused whole. The error answers the ids of its
// requests, wherever they stand; those of a batch that is no JSON are not read.
func Parse(frame []byte, maxDepth int) Message {
	frame = bytes.TrimLeft(frame, space)
	if len(frame) == 0 || frame[0] != '{' && frame[0] != '[' {
		return Message{Request: Request{Err: ParseError}}
	}
	if codec.TooDeepAt(frame, maxDepth) < len(frame) {
		return refuse(frame, invalid("the message is nested deeper than %d levels, the limit", maxDepth))
	}
	p := newParser(frame)
	defer p.free()
	m := p.message(p.request)
	if p.err != nil || !p.atEnd() {
		return parseAgain(frame)
	}
	return m
}

// refuse answers the requests of a frame that is too deep.
func refuse(frame []byte, err *jsonrpc2.Error) Message {
	refused := Message{Request: Request{Err: err}, Deep: true}
	if frame[0] == '{' {
		r := alone(shallow(frame, 1))
		if r.Notif && r.Method == "" { // an answer
			refused.Request = r
			return refused
		}
		refused.Request.IDText = r.IDText
		return refused
	}
	for _, r := range parseAgain(shallow(frame, 2)).Batch {
		if r.IDText != nil {
			refused.Batch = append(refused.Batch, Request{IDText: r.IDText, Err: err})
		}
	}
	if refused.Batch != nil {
		refused.Request.Err = nil
	}
	return refused
}

// shallow returns a frame with an empty list in place of what is nested deeper.
func shallow(frame []byte, levels int) (text []byte) {
	depth, quoted := 0, false
	for i := 0; i < len(frame); i++ {
		begin, c := i, frame[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth == levels+1 {
				text = append(text, "[]"...)
			}
		case c == '}' || c == ']':
			if depth--; depth == levels {
				continue
			}
		}
		if depth <= levels {
			text = append(text, frame[begin:min(i+1, len(frame))]...)
		}
	}
	return text
}

// parseAgain reads a frame that was not accepted. Each of its requests has an
// error, or is accepted by itself.
func parseAgain(frame []byte) Message {
	p := newParser(frame, lenient...)
	defer p.free()
	m := p.message(func() Request { return alone(p.value()) })
	if p.err != nil || !p.atEnd() { // nor is it JSON
		return Message{Request: Request{Err: ParseError}}
	}
	return m
}

// notAccepted is the error of JSON that two readers could read differently.
func notAccepted(err error) *jsonrpc2.Error {
	reason := "text that is not Unicode"
	if errors.Is(err, jsontext.ErrDuplicateName) {
		reason = "a name stands twice in one object"
	}
	const maxPointer = 100
	if at, ok := errors.AsType[*jsontext.SyntacticError](err); ok && at.JSONPointer != "" && len(at.JSONPointer) <= maxPointer {
		reason += ": " + string(at.JSONPointer)
	}
	return NewError(jsonrpc2.CodeParseError, ParseError.Message, reason)
}

// message reads a batch, whose objects member reads, or one object.
func (p *parser) message(member func() Request) (m Message) {
	if p.dec.PeekKind() != '[' {
		m.Request = member()
		return m
	}
	p.token()
	for p.err == nil && p.dec.PeekKind() != ']' {
		switch {
		case len(m.Batch) == MaxBatch:
			p.value()
			m.Request.Err = invalid("a batch has at most %d members", MaxBatch)
		case p.dec.PeekKind() == '{':
			r := member()
			if r.Err == ParseError { // which is for one that is not in a batch
				r.Err = InvalidRequest
			}
			m.Batch = append(m.Batch, r)
		default:
			p.value()
			m.Batch = append(m.Batch, Request{Err: InvalidRequest})
		}
	}
	p.token()
	if len(m.Batch) == 0 {
		m.Request.Err = InvalidRequest
	}
	if m.Request.Err != nil {
		m.Batch = nil
	}
	return m
}

// members are those of a request, as JSON text.
type members struct {
	version, id, method, params []byte

	ids    int  // how often there is an id
	found  bool // something of a request
	answer bool // something of an answer
}

// members reads an object.
func (p *parser) members() (m members) {
	p.object(func(name []byte) {
		value := p.value()
		switch string(name) {
		case "jsonrpc":
			m.version, m.found = value, true
		case "id":
			m.id, m.found = value, true
			m.ids++
		case "method":
			m.method, m.found = value, true
		case "params":
			m.params = value
		case "result", "error":
			m.answer = true
		}
	})
	m.answer = m.answer && (m.method == nil || string(m.method) == "null")
	return m
}

// request reads an object.
func (p *parser) request() Request {
	m := p.members()
	switch {
	case m.answer:
		return Request{Request: jsonrpc2.Request{Notif: true}}
	case !m.found: // other Plexus implementations answer so
		return Request{Err: ParseError}
	case m.id != nil && !validID(m.id):
		return Request{Err: InvalidRequest}
	case len(m.id) > MaxID: // nor is it sent back
		return Request{Err: invalid("the id is longer than %d bytes", MaxID)}
	}
	r := Request{IDText: m.id}
	name := unquoted(m.method)
	switch {
	case !isString(m.version) || string(unquoted(m.version)) != "2.0" || !isString(m.method):
		r.Err = InvalidRequest
		return r
	case len(name) > MaxMethod:
		r.Err = invalid("the method's name is longer than %d bytes", MaxMethod)
		return r
	}
	r.Method, r.Params, r.ID, r.Notif = string(name), raw(m.params), requestID(m.id), m.id == nil
	return r
}

// alone reads the text of one request, which is JSON. One that is not accepted
// has an error, and its id if there is just one.
func alone(text []byte) Request {
	p := newParser(text)
	defer p.free()
	if r := p.request(); p.err == nil {
		return r
	}
	again := newParser(text, lenient...)
	defer again.free()
	m := again.members()
	if m.answer {
		return Request{Request: jsonrpc2.Request{Notif: true}}
	}
	r := Request{Err: notAccepted(p.err)}
	if m.ids == 1 && validID(m.id) && len(m.id) <= MaxID && jsontext.Value(m.id).IsValid() {
		r.IDText = m.id
	}
	return r
}

// validID reports whether an id is a string, null, or a number without fraction
// or exponent.
func validID(id []byte) bool {
	kind := jsontext.Value(id).Kind()
	return kind == '"' || kind == 'n' || kind == '0' && !bytes.ContainsAny(id, ".eE")
}

// requestID is an id in the type of the library; zero where that can't hold it.
func requestID(id []byte) jsonrpc2.ID {
	if isString(id) {
		return jsonrpc2.ID{Str: string(unquoted(id)), IsString: true}
	}
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil { // n may be the largest number
		n = 0
	}
	return jsonrpc2.ID{Num: n}
}

func invalid(format string, args ...any) *jsonrpc2.Error {
	return NewError(jsonrpc2.CodeInvalidRequest, InvalidRequest.Message, fmt.Sprintf(format, args...))
}
