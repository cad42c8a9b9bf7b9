// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"math"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Appender is implemented by content that writes its own JSON: one valid value
// without line breaks, which is taken as it is. On an error, what is returned
// is ignored.
type Appender interface {
	AppendJSON(dst []byte) ([]byte, error)
}

// Sizer is implemented by an [Appender] whose JSON may be large. SizeJSON
// returns about how many bytes AppendJSON would append, rather too many than
// too few, at little cost.
type Sizer interface{ SizeJSON() int }

// SizeError says that content was not appended because its JSON is too long.
type SizeError struct {
	Size int // about how many bytes the JSON has
}

func (e *SizeError) Error() string {
	return "the JSON of " + strconv.Itoa(e.Size) + " bytes is longer than it may be"
}

// appendOptions write unions by their declaration, durations as ISO 8601, and
// maps in one order, so that equal content gives equal text. omitempty leaves out
// what it does in encoding/json: zero numbers and false, too.
var appendOptions = json.JoinOptions(
	json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(marshalUnion),
		json.MarshalToFunc(marshalDuration),
		json.MarshalToFunc(marshalNumber),
	)),
	jsonv1.OmitEmptyWithLegacySemantics(true),
	json.Deterministic(true),
)

// AppendJSON appends the JSON of content to dst. On an error dst is returned
// as it was.
func AppendJSON(dst []byte, content any) ([]byte, error) {
	return AppendJSONWithin(dst, content, math.MaxInt)
}

// AppendJSONWithin is AppendJSON with a bound: of more than limit bytes nothing
// is appended, and the error is a [*SizeError]. An [Appender] that is not a
// [Sizer] is taken to be short.
func AppendJSONWithin(dst []byte, content any, limit int) ([]byte, error) {
	if a, ok := content.(Appender); ok {
		if s, ok := content.(Sizer); ok && limit < math.MaxInt {
			if size := s.SizeJSON(); size > limit {
				return dst, &SizeError{size}
			}
		}
		out, err := a.AppendJSON(dst)
		if err != nil {
			return dst, err
		}
		return out, nil
	}
	w := boundedWriter{buf: dst, limit: limit}
	enc := encoders.Get().(*jsontext.Encoder)
	enc.Reset(&w)
	defer func() {
		w.buf = nil // which the encoder would keep
		encoders.Put(enc)
	}()
	switch err := json.MarshalEncode(enc, content, appendOptions); {
	case err != nil:
		return dst, err
	case w.size > limit:
		return dst, &SizeError{w.size}
	}
	// The encoder ends a top-level value with a line break.
	return w.buf[:len(w.buf)-1], nil
}

// boundedWriter appends to a slice. What goes beyond limit bytes is only counted.
type boundedWriter struct {
	buf   []byte
	size  int
	limit int
}

func (w *boundedWriter) Write(p []byte) (int, error) {
	if w.size += len(p); w.size <= w.limit {
		w.buf = append(w.buf, p...)
	}
	return len(p), nil
}

var encoders = sync.Pool{New: func() any { return jsontext.NewEncoder(new(boundedWriter)) }}
