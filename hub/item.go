// SPDX-License-Identifier: AGPL-3.0-only

package hub

import "time"

// Kind tells items of a stream apart. The zero Kind is none.
type Kind uint8

// The kinds of items.
const (
	Data     Kind = iota + 1 // one of the method's results
	Progress                 // how far the method is
	Request                  // a question to the caller: see [Hub.Respond]
	Error                    // a failure; the last item unless it is recoverable
	Done                     // the end of a stream that went well
)

// Item is one element of a stream, as it leaves the hub. A call may use one
// Item again for the next element: don't keep it.
type Item struct {
	Kind     Kind
	Metadata Metadata

	// ContentType ("registry.list") and Content are there for Data. Content
	// is anything that plugin.AppendJSON takes, or an *Item: the nested call
	// of a hub answers with the items of the inner stream.
	ContentType string
	Content     any

	// Message is there for Progress, and for Error, where it is never empty.
	Message string
	// Percentage, 0 to 100, is there for Progress; below zero it is unknown.
	Percentage float64

	// Code (0 for none), Recoverable and Details are there for Error. Details
	// are anything that plugin.AppendJSON takes, or nil.
	Code        int
	Recoverable bool
	Details     any

	// RequestID, Question (JSON) and Timeout are there for Request.
	RequestID string
	Question  []byte
	Timeout   time.Duration
}

// Metadata says where an item comes from.
type Metadata struct {
	Provenance []string // namespaces passed, the outermost first; shared
	Hash       string   // the hub's
	Timestamp  int64    // Unix seconds
}
