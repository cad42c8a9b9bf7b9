// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/plugin"
)

// Frame is one thing that a hub says to a client: the answer to a request, or
// an item of a stream. Its slices are parts of the text that it was read from.
//
// A frame that is neither, or more than this package knows, has what was found
// of it: clients are to ignore what they don't understand.
type Frame struct {
	// ID is the id of the request that is answered, JSON text; nil for what
	// is not an answer. It is null where the hub could not read the id.
	ID []byte
	// Result is the answer, JSON text; nil where Err is the answer. The Code of
	// Err is 0 where the hub sent none that is an integer.
	Result []byte
	Err    *jsonrpc2.Error

	// Subscription is the stream that Item belongs to, JSON text; nil for
	// what is not an item. [Key] makes it comparable.
	Subscription []byte
	// Item is an item as it was received. A field that was absent, null, or of
	// another type than clients expect is zero. Its Kind may be one that this
	// package does not know.
	Item plugin.Item
}

// ParseFrame reads what a hub sent. Unlike [Parse] it is lenient, since it
// reads what hubs of any kind say to somebody who asked them: names may stand
// twice, and text that is not UTF-8 is repaired. It fails only on what is not
// a JSON object.
func ParseFrame(text []byte) (*Frame, error) {
	p := newParser(text, lenient...)
	defer p.free()
	object := p.dec.PeekKind() == '{'
	f := new(Frame)
	p.reply(f)
	if !object || p.err != nil || !p.atEnd() {
		return nil, fmt.Errorf("not a JSON object: %.64q", text)
	}
	return f, nil
}

// lenient is how clients read.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

func (p *parser) reply(f *Frame) {
	p.object(func(name []byte) {
		switch string(name) {
		case "id":
			f.ID = p.value()
		case "result":
			f.Result = p.value()
		case "error":
			if p.dec.PeekKind() != 'n' { // as null is beside a result
				f.Err = p.error()
			}
		case "params":
			p.object(func(name []byte) {
				switch string(name) {
				case "subscription":
					f.Subscription = p.value()
				case "result":
					p.item(&f.Item)
				}
			})
		}
	})
}

func (p *parser) error() *jsonrpc2.Error {
	e := new(jsonrpc2.Error)
	p.object(func(name []byte) {
		switch string(name) {
		case "code":
			code, _ := strconv.Atoi(p.scalar())
			e.Code = int64(code)
		case "message":
			e.Message = p.text()
		case "data":
			e.Data = raw(p.value())
		}
	})
	return e
}

func (p *parser) item(i *plugin.Item) {
	begin := p.dec.InputOffset()
	percentage := -1.0
	p.object(func(name []byte) {
		switch string(name) {
		case "type":
			i.Kind = p.kind()
		case "metadata":
			p.metadata(&i.Metadata)
		case "content_type":
			i.ContentType = p.text()
		case "content":
			i.Content = json.RawMessage(p.value())
		case "message":
			i.Message = p.text()
		case "percentage":
			if n, err := strconv.ParseFloat(p.scalar(), 64); err == nil {
				percentage = n
			}
		case "code":
			i.Code = p.scalar()
		case "recoverable":
			i.Recoverable = string(p.value()) == "true"
		case "data":
			i.Details = json.RawMessage(p.value())
		case "requestId", "request_id": // the newest hubs, and older ones
			if id := p.scalar(); i.RequestID == "" {
				i.RequestID = id
			}
		case "requestData", "request":
			if v := p.value(); i.Question == nil && string(v) != "null" {
				i.Question = v
			}
		case "timeoutMs", "timeout":
			if n, err := strconv.ParseFloat(p.scalar(), 64); err == nil && n > 0 {
				i.Timeout = time.Duration(min(n, maxTimeout) * float64(time.Millisecond))
			}
		}
	})
	if i.Kind == plugin.KindProgress {
		i.Percentage = percentage
	}
	i.Raw = bytes.TrimLeft(p.frame[begin:p.dec.InputOffset():p.dec.InputOffset()], space+":")
}

// maxTimeout is a day in milliseconds. No question waits longer.
const maxTimeout = 24 * 60 * 60 * 1000

func (p *parser) metadata(m *plugin.Metadata) {
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
		}
	})
}

// kind reads the type of an item, without a copy for those that are known.
func (p *parser) kind() plugin.Kind {
	value := p.value()
	for _, known := range [...]plugin.Kind{plugin.KindData, plugin.KindDone, plugin.KindError, plugin.KindProgress, plugin.KindRequest} {
		if isString(value) && string(value[1:len(value)-1]) == string(known) {
			return known
		}
	}
	return plugin.Kind(text(value))
}

// Key returns the id of a subscription in a form that can be compared: hubs
// are free to write one as a number or as a string, and not always the same.
func Key(id []byte) []byte { return unquoted(id) }

// PeekSubscription finds the id of the subscription, JSON text, in the
// beginning of a frame that is too long to be read whole; nil where it is no
// item, or one that is written in an unusual order.
func PeekSubscription(beginning []byte) (id []byte) {
	p := newParser(beginning, lenient...)
	defer p.free()
	p.object(func(name []byte) {
		if string(name) != "params" {
			return
		}
		p.object(func(name []byte) {
			value := p.value()
			// A number at the very end may go on.
			if string(name) == "subscription" && p.err == nil && p.dec.InputOffset() < int64(len(beginning)) {
				id = value
			}
		})
	})
	return id
}
