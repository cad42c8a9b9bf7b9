// SPDX-License-Identifier: AGPL-3.0-only

package socket

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// ErrTooLarge is the error of a message over the limit.
var ErrTooLarge = errors.New("the message is too large")

// ScratchBytes is the size up to which messages share buffers while they are
// read.
const ScratchBytes = 64 << 10

// scratch are buffers that messages are read into before they are copied at
// their size: an idle connection holds none.
var scratch = sync.Pool{New: func() any { return new(limitedBuffer) }}

type limitedBuffer struct {
	bytes.Buffer
	limited io.LimitedReader
}

// ReadMessage reads r, which is one message, to its end. Of a message with more
// than limit bytes it returns the beginning and [ErrTooLarge]; the rest is
// still to be read.
func ReadMessage(r io.Reader, limit int64) ([]byte, error) {
	buf := scratch.Get().(*limitedBuffer)
	defer func() {
		buf.limited.R = nil
		if buf.Cap() <= ScratchBytes {
			buf.Reset()
			scratch.Put(buf)
		}
	}()
	buf.limited = io.LimitedReader{R: r, N: max(limit, limit+1)} // past the largest number there is nothing
	_, err := buf.ReadFrom(&buf.limited)
	if err == nil && int64(buf.Len()) > limit {
		err = ErrTooLarge
	}
	if buf.Cap() > ScratchBytes { // not to be used again
		return buf.Bytes(), err
	}
	return bytes.Clone(buf.Bytes()), err
}
