// SPDX-License-Identifier: AGPL-3.0-only

package hub

// Kind tells items of a stream apart. The zero Kind is none.
type Kind uint8

// The kinds of items.
const (
	Data  Kind = iota + 1 // one of the method's results
	Error                 // a failure; the last item unless it is recoverable
	Done                  // the end of a stream that went well
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

	// Message (never empty), Code (0 for none) and Recoverable are there for
	// Error.
	Message     string
	Code        int
	Recoverable bool
}

// Metadata says where an item comes from.
type Metadata struct {
	Provenance []string // namespaces passed, the outermost first; shared
	Hash       string   // the hub's
	Timestamp  int64    // Unix seconds
}
