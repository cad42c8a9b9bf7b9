// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Frame is one thing that a hub says to a client: the answer to a request, or
// an item of a stream. Its slices are parts of the text that it was read from.
//
// A frame that is neither, or more than this package knows, has what was found
// of it: clients are to ignore what they don't understand.
type Frame struct {
	// ID is the id of the request that is answered, JSON text; nil for what
	// is not an answer. It is null where the hub could not tell the id.
	ID []byte
	// Result is the answer, JSON text; nil where Failure is the answer.
	Result  []byte
	Failure *Failure

	// Subscription is the stream that Item belongs to, JSON text; nil for
	// what is not an item. [Key] makes it comparable.
	Subscription []byte
	Item         Item
}

// Failure is the error that a request was answered with.
type Failure struct {
	Code    int // 0 where it was no integer
	Message string
	Data    []byte // JSON text; nil for none
}

// Item is an item of a stream, as it arrived. A field that was absent, null,
// or of another type than clients expect is zero.
type Item struct {
	Type     string // "data", "progress", "error", "request", "done", or another
	Raw      []byte // all of it, JSON text
	Metadata Metadata

	// Of data.
	ContentType string
	Content     []byte // JSON text

	// Of progress and error.
	Message    string
	Percentage *float64
	// Code is an integer's digits or any text, Recoverable tells that the
	// stream goes on.
	Code        string
	Recoverable bool

	// Of a request: what the newest hubs name requestId, requestData and
	// timeoutMs, and older ones request_id, request and timeout.
	RequestID string
	Request   []byte // JSON text
	Timeout   time.Duration
}

// Metadata says where an item comes from.
type Metadata struct {
	Provenance []string // namespaces passed, the outermost first
	Hash       string   // the hub's
	Timestamp  int64    // Unix seconds
}

// ParseFrame reads what a hub sent. Unlike [Parse] it is lenient, since it
// reads what hubs of any kind say to somebody who asked them: names may stand
// twice, and text that is not UTF-8 is repaired. It fails only on what is not
// a JSON object.
func ParseFrame(text []byte) (Frame, error) {
	p := frameParsers.Get().(*frameParser)
	if len(text) <= 64<<10 { // or the pool would keep large frames alive
		defer frameParsers.Put(p)
	}
	p.frame, p.failed = text, false
	p.buffer = *bytes.NewBuffer(text)
	p.dec.Reset(&p.buffer, lenientNames, lenientText)
	var f Frame
	if p.dec.PeekKind() != '{' {
		return Frame{}, errNotAnObject
	}
	p.envelope(&f)
	if p.failed || !p.atEnd() {
		return Frame{}, fmt.Errorf("not JSON: %.64q", text)
	}
	return f, nil
}

var errNotAnObject = errors.New("not a JSON object")

// How clients read.
var (
	lenientNames = jsontext.AllowDuplicateNames(true)
	lenientText  = jsontext.AllowInvalidUTF8(true)
)

// frameParser reads one frame from a hub.
type frameParser struct{ parser }

var frameParsers = sync.Pool{New: func() any {
	return &frameParser{parser{dec: jsontext.NewDecoder(new(bytes.Buffer))}}
}}

// object reads an object, field by field: each must read the value. What is
// no object is skipped, as null is where an object is optional.
func (p *frameParser) object(each func(name []byte)) {
	if p.dec.PeekKind() != '{' {
		p.value()
		return
	}
	p.token()
	for !p.failed && p.dec.PeekKind() == '"' {
		each(unquoted(p.value()))
	}
	p.token()
}

func (p *frameParser) envelope(f *Frame) {
	p.object(func(name []byte) {
		switch string(name) {
		case "id":
			f.ID = p.value()
		case "result":
			f.Result = p.value()
		case "error":
			if p.dec.PeekKind() == 'n' { // beside a result
				p.value()
				return
			}
			f.Failure = new(Failure)
			p.failure(f.Failure)
		case "params":
			p.params(f)
		default:
			p.value()
		}
	})
}

func (p *frameParser) failure(f *Failure) {
	p.object(func(name []byte) {
		switch string(name) {
		case "code":
			f.Code, _ = strconv.Atoi(p.scalar())
		case "message":
			f.Message = p.text()
		case "data":
			f.Data = p.value()
		default:
			p.value()
		}
	})
}

// params reads the parameters of a notification.
func (p *frameParser) params(f *Frame) {
	p.object(func(name []byte) {
		switch string(name) {
		case "subscription":
			f.Subscription = p.value()
		case "result":
			p.item(&f.Item)
		default:
			p.value()
		}
	})
}

func (p *frameParser) item(i *Item) {
	p.dec.PeekKind() // moves to where the value begins
	begin := p.dec.InputOffset()
	p.object(func(name []byte) {
		switch string(name) {
		case "type":
			i.Type = p.kind()
		case "metadata":
			p.metadata(&i.Metadata)
		case "content_type":
			i.ContentType = p.text()
		case "content":
			i.Content = p.value()
		case "message":
			i.Message = p.text()
		case "percentage":
			if n, err := strconv.ParseFloat(p.scalar(), 64); err == nil {
				i.Percentage = &n
			}
		case "code":
			i.Code = p.scalar()
		case "recoverable":
			i.Recoverable = string(p.value()) == "true"
		case "requestId", "request_id":
			setFirst(&i.RequestID, p.scalar())
		case "requestData", "request":
			if v := p.value(); i.Request == nil && string(v) != "null" {
				i.Request = v
			}
		case "timeoutMs", "timeout":
			if n, err := strconv.ParseFloat(p.scalar(), 64); err == nil && n > 0 {
				i.Timeout = time.Duration(min(n, maxTimeout) * float64(time.Millisecond))
			}
		default:
			p.value()
		}
	})
	i.Raw = bytes.TrimLeft(p.frame[begin:p.dec.InputOffset():p.dec.InputOffset()], " \t\r\n:")
}

// maxTimeout is a day in milliseconds. No question waits longer.
const maxTimeout = 24 * 60 * 60 * 1000

func (p *frameParser) metadata(m *Metadata) {
	p.object(func(name []byte) {
		switch string(name) {
		case "provenance":
			m.Provenance = p.texts()
		case "plexus_hash":
			m.Hash = p.text()
		case "timestamp":
			if n, err := strconv.ParseFloat(p.scalar(), 64); err == nil && n > -1<<62 && n < 1<<62 {
				m.Timestamp = int64(n)
			}
		default:
			p.value()
		}
	})
}

// kind reads the type of an item, without a copy for those that are known.
func (p *frameParser) kind() string {
	value := p.value()
	for _, known := range [...]string{"data", "done", "error", "progress", "request"} {
		if len(value) == len(known)+2 && string(value[1:len(known)+1]) == known {
			return known
		}
	}
	return text(value)
}

// text reads a string; what is none is "".
func (p *frameParser) text() string { return text(p.value()) }

// texts reads an array of strings.
func (p *frameParser) texts() []string {
	if p.dec.PeekKind() != '[' {
		p.value()
		return nil
	}
	var all []string
	p.token()
	for !p.failed && p.dec.PeekKind() != ']' && p.dec.PeekKind() != 0 {
		all = append(all, p.text())
	}
	p.token()
	return all
}

// scalar reads a string, or the digits of a number; anything else is "".
func (p *frameParser) scalar() string {
	value := p.value()
	if jsontext.Value(value).Kind() == '0' {
		return string(value)
	}
	return text(value)
}

// Key returns the id of a subscription in a form that can be compared: hubs
// are free to write one as a number or as a string, and not always the same.
func Key(id []byte) []byte { return unquoted(id) }

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
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	return strings.ToValidUTF8(string(unquoted(value)), "\uFFFD")
}

func setFirst(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// PeekSubscription finds the id of the subscription, JSON text, in the
// beginning of a frame that is too long to be read whole; nil where it is no
// item, or one that is written in an unusual order.
func PeekSubscription(beginning []byte) (id []byte) {
	p := frameParser{parser{frame: beginning, dec: jsontext.NewDecoder(bytes.NewReader(beginning), lenientNames, lenientText)}}
	if p.dec.PeekKind() != '{' {
		return nil
	}
	p.object(func(name []byte) {
		if string(name) != "params" {
			p.value()
			return
		}
		p.object(func(name []byte) {
			value := p.value()
			// A number at the very end may go on.
			if string(name) == "subscription" && !p.failed && p.dec.InputOffset() < int64(len(beginning)) {
				id = value
			}
		})
	})
	return id
}
