// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
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
	depth   int
	dead    time.Duration
	slow    time.Duration   // how long a message may take
	shared  *budget         // of all connections
	stop    <-chan struct{} // closed when nothing is worth a wait
	message wire.Message    // what was read last, for the handler
	size    int             // its bytes
	reads   atomic.Int64    // how many messages were read
	stub    reflect.Value
	refuse  func(f *jsonrpc2.Error) // answers what is not even a request
	pings   chan string             // the last ping that was not answered yet

	mu      sync.Mutex
	fresh   time.Time // when the read deadline was set
	final   bool      // it is not to be moved any more
	arrival arrival   // of the message that is being read

	ended  chan struct{} // closed when nothing more will be read
	err    error         // why, once ended
	slowly bool          // it is a message that did not come to its end in time, once ended
}

var _ jsonrpc2.ObjectStream = (*objectStream)(nil)

func newObjectStream(ws *websocket.Conn, limits Limits, shared *budget, stop <-chan struct{}, refuse func(*jsonrpc2.Error)) *objectStream {
	s := &objectStream{
		ws:     ws,
		limit:  limits.MaxMessageBytes,
		depth:  limits.MaxDepth,
		dead:   limits.DeadTimeout,
		slow:   limits.MessageTimeout,
		shared: shared,
		stop:   stop,
		refuse: refuse,
		pings:  make(chan string, 1),
		ended:  make(chan struct{}),
	}
	ws.SetReadLimit(hardLimit * limits.MaxMessageBytes)
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
	s.aliveLocked(now)
}

func (s *objectStream) aliveLocked(now time.Time) {
	if s.final || s.arrival.late || now.Sub(s.fresh) <= s.dead/64 {
		return
	}
	s.fresh = now
	deadline := now.Add(s.dead)
	if a := &s.arrival; a.slow && a.deadline(s.slow).Before(deadline) {
		deadline = a.deadline(s.slow)
		s.fresh = time.Time{} // it moves with what comes
	}
	s.ws.SetReadDeadline(deadline)
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
		s.shrink(0)
		s.alive()
		frame, err := s.readFrame()
		switch {
		case err == errTooLarge:
			s.refuse(wire.TooLarge(s.limit))
			continue
		case err == errNoMemory:
			s.refuse(wire.NewError(plugin.CodeTooMany, "Too many large messages",
				fmt.Sprintf("%d bytes of them are being read: try again in %v", s.shared.limit, s.shared.patience)))
			continue
		case err == nil:
			s.reads.Add(1)
			s.arrived(int64(len(frame)))
			s.message, s.size = wire.Parse(frame, s.depth), len(frame)
			err = s.setStub(v)
		}
		if err != nil {
			s.slowly = s.lost(err)
			s.end(err)
		}
		return err
	}
}

// end says that nothing more will be read, and why. It is called once, by the
// reader.
func (s *objectStream) end(err error) {
	s.shrink(0)
	s.err = err
	close(s.ended)
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

// scratch are buffers that messages are read into, before they are copied at
// their size: an idle connection holds none.
var scratch = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// mostScratch is the size to which such a buffer may have grown.
const mostScratch = 64 << 10

// readFrame reads the next message whole. One over the limit, or one for which
// there is no memory, is read to its end, so that the connection can live on,
// and is then errTooLarge or errNoMemory.
func (s *objectStream) readFrame() ([]byte, error) {
	_, r, err := s.ws.NextReader()
	if err != nil {
		return nil, err
	}
	frame, err := s.keep(r)
	if err == errTooLarge || err == errNoMemory {
		s.shrink(0)
		if _, lost := io.Copy(io.Discard, &payload{stream: s, r: r, left: hardLimit * s.limit}); lost != nil {
			return nil, lost
		}
		s.arrived(0)
	}
	return frame, err
}

// keep reads a message that is not too long.
func (s *objectStream) keep(r io.Reader) ([]byte, error) {
	buf := scratch.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= mostScratch {
			buf.Reset()
			scratch.Put(buf)
		}
	}()
	if _, err := buf.ReadFrom(&payload{stream: s, r: r, left: s.limit + 1, kept: true}); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > s.limit {
		return nil, errTooLarge
	}
	if buf.Cap() > mostScratch { // not to be used again
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

// Close does nothing: the session closes the socket, when it has said goodbye.
func (s *objectStream) Close() error { return nil }
