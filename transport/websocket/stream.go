// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/transport/wire"
)

// hardLimit is how many times the message limit may be exceeded before the
// connection is closed instead of the message refused.
const hardLimit = 8

// objectStream reads messages for jsonrpc2, which dispatches them and owns the
// reading goroutine. The library's own reading would answer nothing to bad
// JSON and allocate a hundred times a call, so frames are parsed here: the
// library is handed a stub, and the session finds the parsed message aside.
type objectStream struct {
	ws      *websocket.Conn
	limit   int64
	dead    time.Duration
	message wire.Message // what was read last, for the handler
	stub    reflect.Value
	fresh   time.Time           // when the read deadline was set
	refuse  func(f *wire.Fault) // answers what is not even a request
}

var _ jsonrpc2.ObjectStream = (*objectStream)(nil)

func newObjectStream(ws *websocket.Conn, limits Limits, refuse func(*wire.Fault)) *objectStream {
	s := &objectStream{ws: ws, limit: limits.MessageBytes, dead: limits.DeadTimeout, refuse: refuse}
	ws.SetReadLimit(hardLimit * limits.MessageBytes)
	ws.SetPongHandler(func(string) error { s.alive(); return nil })
	return s
}

// alive moves the moment at which a silent client counts as dead.
func (s *objectStream) alive() {
	// Setting a deadline costs more than looking at the clock.
	if now := time.Now(); now.Sub(s.fresh) > s.dead/64 {
		s.fresh = now
		s.ws.SetReadDeadline(now.Add(s.dead))
	}
}

// ReadObject reads one message. v is what the library decodes requests into.
func (s *objectStream) ReadObject(v any) error {
	for {
		s.alive()
		frame, err := s.readFrame()
		if errors.Is(err, errTooLarge) {
			s.refuse(wire.TooLarge(s.limit))
			continue
		}
		if err != nil {
			return err
		}
		s.message = wire.Parse(frame)
		return s.setStub(v)
	}
}

var errTooLarge = errors.New("message is over the limit")

// scratch are buffers that messages are read into, before they are copied at
// their size: an idle connection holds none.
var scratch = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readFrame reads the next message whole. One over the limit is read to its
// end, so that the connection can live on, and is then errTooLarge.
func (s *objectStream) readFrame() ([]byte, error) {
	_, r, err := s.ws.NextReader()
	if err != nil {
		return nil, err
	}
	buf := scratch.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= 64<<10 {
			buf.Reset()
			scratch.Put(buf)
		}
	}()
	if _, err := buf.ReadFrom(io.LimitReader(r, s.limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > s.limit {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return nil, err
		}
		return nil, errTooLarge
	}
	if buf.Cap() > 64<<10 { // not to be used again
		return buf.Bytes(), nil
	}
	return bytes.Clone(buf.Bytes()), nil
}

// setStub makes v a request. The type of v is the library's own: the first
// stub is decoded by it, the later ones are copies of the first, which
// nobody changes.
func (s *objectStream) setStub(v any) error {
	target := reflect.ValueOf(v).Elem()
	if s.stub.IsValid() {
		target.Set(s.stub)
		return nil
	}
	if err := json.Unmarshal([]byte(`{"jsonrpc":"2.0","id":0,"method":""}`), v); err != nil {
		return err
	}
	s.stub = reflect.New(target.Type()).Elem()
	s.stub.Set(target)
	return nil
}

// WriteObject is not used: a session writes through its outbox.
func (s *objectStream) WriteObject(any) error {
	return errors.New("websocket: sessions write through their outbox")
}

// Close closes the socket.
func (s *objectStream) Close() error { return s.ws.Close() }
