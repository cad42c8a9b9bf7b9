// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"encoding/json"
	"testing"
)

// Frame is anything that a hub sends. Exactly one of Result, Error and Method
// is set.
type Frame struct {
	Text   string // as it was sent
	ID     json.RawMessage
	Result json.RawMessage
	Error  *Error
	Method string
	Params Params
}

// Error is the error that a request is answered with.
type Error struct {
	Code    int
	Message string
	Data    any
}

// Params are those of a notification: an item of a subscription. A subscription
// is the JSON text that the request was answered with.
type Params struct {
	Subscription json.RawMessage
	Result       Item
}

// Item is an item of a stream, as any client reads it.
type Item struct {
	Type        string // data, progress, error, request or done
	Metadata    Metadata
	ContentType string `json:"content_type"`
	Content     json.RawMessage
	Message     string
	Percentage  *float64
	Code        string
	Recoverable bool
}

// Metadata is that of an item.
type Metadata struct {
	Provenance []string
	Hash       string `json:"plexus_hash"`
	Timestamp  int64
}

// Last reports whether the stream ends with the item.
func (i Item) Last() bool { return i.Type == "done" || i.Type == "error" && !i.Recoverable }

// Object is the content of a data item; nil where it is no object.
func (i Item) Object() map[string]any {
	var object map[string]any
	_ = json.Unmarshal(i.Content, &object)
	return object
}

// ParseFrame reads the text of a frame.
func ParseFrame(t testing.TB, text []byte) Frame {
	t.Helper()
	f := Frame{Text: string(text)}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatalf("a frame that can't be read: %v: %s", err, text)
	}
	return f
}
