// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
)

// Kind says what an [Item] is. On the wire it is the item's "type".
type Kind string

// The kinds of items.
const (
	KindData     Kind = "data"     // one of the method's results
	KindProgress Kind = "progress" // how far the method is
	KindRequest  Kind = "request"  // a question to the caller
	KindError    Kind = "error"    // a failure; the last item unless it is recoverable
	KindDone     Kind = "done"     // the end of a stream that went well
)

// Item is one element of a stream: as a hub sends it, and as a client receives
// it.
type Item struct {
	Kind     Kind
	Metadata Metadata

	// ContentType ("registry.list") and Content are set for KindData. In a
	// hub, Content is the value that the method yielded, or an *Item: a hub's
	// call answers with the items of the inner stream. In a client it is a
	// json.RawMessage.
	ContentType string
	Content     any

	// Message is set for KindProgress, and for KindError, where it is never
	// empty.
	Message string
	// Percentage, 0 to 100, is set for KindProgress; below zero it is unknown.
	Percentage float64

	// Code (empty for none), Recoverable and Details are set for KindError.
	// Details are more for the caller; nil for nothing. In a client they are a
	// json.RawMessage.
	Code        string
	Recoverable bool
	Details     any

	// RequestID, Question and Timeout are set for KindRequest.
	RequestID string
	Question  json.RawMessage
	Timeout   time.Duration

	// Raw is the whole item as it was received; nil in a hub.
	Raw json.RawMessage
}

// Metadata says where an item comes from.
type Metadata struct {
	Provenance []string // namespaces passed, the outermost first; shared
	Hash       string   // of the hub's schema, which changes with it
	Timestamp  int64    // Unix seconds
}

// Err returns what a KindError says; nil for other kinds. A Code that is no
// number is CodeFailure.
func (i *Item) Err() *Error {
	if i.Kind != KindError {
		return nil
	}
	code, err := strconv.Atoi(i.Code)
	if err != nil {
		code = CodeFailure
	}
	return &Error{Code: code, Message: i.Message, Recoverable: i.Recoverable, Data: i.Details}
}

// Decode decodes the content of a data item into what v points to, unions and
// enumerations included.
func (i *Item) Decode(v any) error {
	if i.Kind != KindData {
		return fmt.Errorf("an item of type %q has no content", i.Kind)
	}
	if err := decodeContent(i.Content, v); err != nil {
		return fmt.Errorf("content of type %s: %w", i.ContentType, err)
	}
	return nil
}

// decodeContent decodes what was received, or converts what an activation yielded.
func decodeContent(content, v any) (err error) {
	text, received := content.(json.RawMessage)
	if !received {
		text, err = codec.AppendJSON(nil, content)
	}
	if err == nil {
		err = codec.DecodeJSON(text, v)
	}
	return err
}
