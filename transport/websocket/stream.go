// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
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
	size    int          // its bytes
	reads   atomic.Int64 // how many messages were read
	stub    reflect.Value
	refuse  func(f *wire.Fault) // answers what is not even a request
	pings   chan string         // the last ping that was not answered yet

	mu    sync.Mutex
	fresh time.Time // when the read deadline was set
	final bool      // it is not to be moved any more

	ended chan struct{} // closed when nothing more will be read
	err   error         // why, once ended
}

var _ jsonrpc2.ObjectStream = (*objectStream)(nil)

func newObjectStream(ws *websocket.Conn, limits Limits, refuse func(*wire.Fault)) *objectStream {
	s := &objectStream{
		ws:     ws,
		limit:  limits.MessageBytes,
		dead:   limits.DeadTimeout,
		refuse: refuse,
		pings:  make(chan string, 1),
		ended:  make(chan struct{}),
	}
	ws.SetReadLimit(hardLimit * limits.MessageBytes)
	ws.SetPongHandler(func(string) error { s.alive(); return nil })
	ws.SetPingHandler(func(data string) error {
		s.alive()
		// Only the session writes, lest a client that pings and does not
		// read holds up the reader. The last ping is answered for all.
		select {
		case <-s.pings:
		default:
		}
		s.pings <- data
		return nil
	})
	ws.SetCloseHandler(func(int, string) error { return nil }) // the session answers
	return s
}

// alive moves the moment at which a silent client counts as dead.
func (s *objectStream) alive() {
	// Setting a deadline costs more than looking at the clock.
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.final && now.Sub(s.fresh) > s.dead/64 {
		s.fresh = now
		s.ws.SetReadDeadline(now.Add(s.dead))
	}
}

// finish reads on for that long and no longer.
func (s *objectStream) finish(within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.final = true
	s.ws.SetReadDeadline(time.Now().Add(within))
}

// ReadObject reads one message. v is what the library decodes requests into.
// After an error it is not called again.
func (s *objectStream) ReadObject(v any) error {
	for {
		s.message = wire.Message{} // an idle connection holds none
		s.alive()
		frame, err := s.readFrame()
		if errors.Is(err, errTooLarge) {
			s.refuse(wire.TooLarge(s.limit))
			continue
		}
		if err == nil {
			s.reads.Add(1)
			s.message, s.size = wire.Parse(frame), len(frame)
			err = s.setStub(v)
		}
		if err != nil {
			s.err = err
			close(s.ended)
		}
		return err
	}
}

// left tells how the reading ended: with the client's close frame, with a
// connection that broke, or else with something that the client must not
// send. Only after ended.
func (s *objectStream) left() (closed *websocket.CloseError, broken bool) {
	var lost net.Error
	if errors.As(s.err, &closed) {
		if closed.Code == websocket.CloseAbnormalClosure {
			return nil, true
		}
		return closed, false
	}
	return nil, errors.As(s.err, &lost)
}

var errTooLarge = errors.New("message is over the limit")

// scratch are buffers that messages are read into, before they are copied at
// their size: an idle connection holds none.
var scratch = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// mostScratch is the size to which such a buffer may have grown.
const mostScratch = 64 << 10

// readFrame reads the next message whole. One over the limit is read to its
// end, so that the connection can live on, and is then errTooLarge.
func (s *objectStream) readFrame() ([]byte, error) {
	_, r, err := s.ws.NextReader()
	if err != nil {
		return nil, err
	}
	buf := scratch.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= mostScratch {
			buf.Reset()
			scratch.Put(buf)
		}
	}()
	if _, err := buf.ReadFrom(&payload{stream: s, r: r, left: s.limit + 1}); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > s.limit {
		if _, err := io.Copy(io.Discard, &payload{stream: s, r: r, left: hardLimit * s.limit}); err != nil {
			return nil, err
		}
		return nil, errTooLarge
	}
	if buf.Cap() > mostScratch { // not to be used again
		return buf.Bytes(), nil
	}
	return bytes.Clone(buf.Bytes()), nil
}

// payload reads so many bytes of a message. A client that sends them slowly
// is not dead.
type payload struct {
	stream *objectStream
	r      io.Reader
	left   int64
	begun  bool
}

func (p *payload) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, io.EOF
	}
	if p.begun {
		p.stream.alive()
	}
	p.begun = true
	n, err := p.r.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	return n, err
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

// Close does nothing: the session closes the socket, when it has said goodbye.
func (s *objectStream) Close() error { return nil }
