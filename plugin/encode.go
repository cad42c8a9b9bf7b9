// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"math"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Appender is implemented by content that writes its own JSON, for speed.
// What it appends is taken as it is: it must be one valid JSON value, without
// line breaks. It must not call [Progress], [Ask] or yield of the stream whose
// content it is: they wait until it is written.
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

// Sizer is implemented by an [Appender] whose JSON may be large. SizeJSON tells
// about how many bytes AppendJSON would append, rather too many than too few,
// at little cost.
type Sizer interface{ SizeJSON() int }

// SizeError tells that content was not appended since its JSON is longer than
// it was to be.
type SizeError struct {
	Size int // about how many bytes the JSON has
}

var _ error = (*SizeError)(nil)

func (e *SizeError) Error() string {
	return "the JSON of " + strconv.Itoa(e.Size) + " bytes is longer than it may be"
}

// AppendJSON appends the JSON of an item's content to dst, by its own
// AppendJSON where it has one. On an error dst is returned as it was.
func AppendJSON(dst []byte, content any) ([]byte, error) {
	return AppendJSONWithin(dst, content, math.MaxInt)
}

// AppendJSONWithin is AppendJSON for what may be too long to be kept: of more
// than most bytes nothing is appended, and the error is a [*SizeError]. Only an
// [Appender] that is no [Sizer] is believed to be short.
func AppendJSONWithin(dst []byte, content any, most int) ([]byte, error) {
	if a, ok := content.(Appender); ok {
		if s, ok := content.(Sizer); ok && most < math.MaxInt {
			if size := s.SizeJSON(); size > most {
				return dst, &SizeError{size}
			}
		}
		out, err := a.AppendJSON(dst)
		if err != nil {
			return dst, err
		}
		return out, nil
	}
	w := appendWriter{buf: dst, most: most}
	enc := encoders.Get().(*jsontext.Encoder)
	enc.Reset(&w)
	defer func() {
		w.buf = nil // which the encoder would keep
		encoders.Put(enc)
	}()
	switch err := json.MarshalEncode(enc, content, encodeOptions); {
	case err != nil:
		return dst, err
	case w.size > most:
		return dst, &SizeError{w.size}
	}
	// The encoder ends a top-level value with a line break.
	return w.buf[:len(w.buf)-1], nil
}

// appendWriter is an io.Writer onto the end of a slice. What goes beyond most
// bytes is only counted.
type appendWriter struct {
	buf  []byte
	size int
	most int
}

func (w *appendWriter) Write(p []byte) (int, error) {
	if w.size += len(p); w.size <= w.most {
		w.buf = append(w.buf, p...)
	}
	return len(p), nil
}

var encoders = sync.Pool{New: func() any { return jsontext.NewEncoder(new(appendWriter)) }}
