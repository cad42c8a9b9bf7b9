// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Appender is implemented by content that writes its own JSON, for speed.
// What it appends is taken as it is: it must be one valid JSON value, without
// line breaks.
type Appender interface {
	AppendJSON(dst []byte) ([]byte, error)
}

// encodeOptions are how every content is written: unions by their declaration, and
// maps in one order, so that equal content gives equal text.
var encodeOptions = json.JoinOptions(
	json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(marshalUnion),
		json.MarshalToFunc(marshalDuration),
	)),
	json.Deterministic(true),
)

// AppendJSON appends the JSON of an item's content to dst, by its own
// AppendJSON where it has one. On an error dst is returned as it was.
func AppendJSON(dst []byte, content any) ([]byte, error) {
	if a, ok := content.(Appender); ok {
		out, err := a.AppendJSON(dst)
		if err != nil {
			return dst, err
		}
		return out, nil
	}
	w := appendWriter{dst}
	enc := encoders.Get().(*jsontext.Encoder)
	defer encoders.Put(enc)
	enc.Reset(&w)
	if err := json.MarshalEncode(enc, content, encodeOptions); err != nil {
		return dst, err
	}
	// The encoder ends a top-level value with a line break.
	return w.buf[:len(w.buf)-1], nil
}

// appendWriter is an io.Writer onto the end of a slice.
type appendWriter struct{ buf []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	return len(p), nil
}

var encoders = sync.Pool{New: func() any { return jsontext.NewEncoder(new(appendWriter)) }}
