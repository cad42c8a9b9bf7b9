// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"encoding/json"
	"fmt"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// The types of the items that a range over [Client.Call] yields. Hubs may send
// others, which are handed on with nothing but Type, Metadata and Raw. The end
// of a stream ends the range, errors are its errors, and questions are
// answered by the callback of WithAnswers.
const (
	Data     = "data"     // one of the method's results
	Progress = "progress" // how far the method has come
)

// Item is one element of a stream. It may be kept.
type Item struct {
	Type     string
	Metadata Metadata

	// ContentType ("registry.list") and Content are there for Data.
	ContentType string
	Content     json.RawMessage

	// Message and Percentage, 0 to 100 or nil for unknown, are there for
	// Progress.
	Message    string
	Percentage *float64

	// Raw is the whole item as the hub sent it.
	Raw json.RawMessage
}

// Decode decodes the content of a Data item into what v points to, as
// parameters are decoded: unions included.
func (i Item) Decode(v any) error {
	if i.Type != Data {
		return fmt.Errorf("an item of type %q has no content", i.Type)
	}
	if err := codec.DecodeJSON(i.Content, v); err != nil {
		return fmt.Errorf("content of type %s: %w", i.ContentType, err)
	}
	return nil
}

// Metadata says where an item comes from. What the hub did not say is zero.
type Metadata struct {
	Provenance []string // namespaces passed, the outermost first
	Hash       string   // the hub's, which changes with its schema
	Timestamp  int64    // Unix seconds
}

func itemOf(i *plugin.Item) Item {
	content, _ := i.Content.(json.RawMessage)
	var percentage *float64
	if i.Kind == plugin.KindProgress && i.Percentage >= 0 {
		percentage = &i.Percentage
	}
	return Item{
		Type: string(i.Kind), Metadata: Metadata(i.Metadata),
		ContentType: i.ContentType, Content: content,
		Message: i.Message, Percentage: percentage,
		Raw: i.Raw,
	}
}
