// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// baseline is a bare server, as one writes it with gorilla/websocket. It
// answers each request with the frames that the hub answered such a one with,
// in which it does no more than to write over the ids.
type baseline struct {
	answers  [][]echo // by index in the blend
	server   http.Server
	upgrader websocket.Upgrader
	address  string
	serving  sync.WaitGroup

	mu     sync.Mutex
	open   map[*websocket.Conn]bool
	closed bool
}

// echo is a frame, and where in it the ends of ids go: several digits each.
type echo struct {
	frame []byte
	ids   [][2]int // from, to
}

func newBaseline(answers [][]echo) (*baseline, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the baseline can't listen: %w", err)
	}
	b := &baseline{answers: answers, address: "ws://" + listener.Addr().String(), open: map[*websocket.Conn]bool{}}
	b.server.Handler = http.HandlerFunc(b.serve)
	b.serving.Go(func() { _ = b.server.Serve(listener) }) // until close
	return b, nil
}

func (b *baseline) close() {
	b.mu.Lock()
	b.closed = true
	for ws := range b.open {
		ws.Close()
	}
	b.mu.Unlock()
	b.server.Close()
	b.serving.Wait()
}

func (b *baseline) serve(w http.ResponseWriter, r *http.Request) {
	ws, err := b.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.open[ws] = true
	b.serving.Add(1)
	b.mu.Unlock()
	defer b.serving.Done()
	defer func() {
		b.mu.Lock()
		delete(b.open, ws)
		b.mu.Unlock()
	}()

	var answers [][]echo
	for _, frames := range b.answers {
		var own []echo
		for _, e := range frames {
			own = append(own, echo{bytes.Clone(e.frame), e.ids})
		}
		answers = append(answers, own)
	}
	for {
		_, request, err := ws.ReadMessage()
		if err != nil || len(request) < idAt+idDigits {
			return
		}
		id := request[idAt : idAt+idDigits]
		kind := int(id[kindAt] - '0')
		if kind >= len(answers) {
			return
		}
		for _, e := range answers[kind] {
			for _, at := range e.ids {
				copy(e.frame[at[0]:at[1]], id[idDigits-(at[1]-at[0]):])
			}
			if ws.WriteMessage(websocket.TextMessage, e.frame) != nil {
				return
			}
		}
	}
}

// newEchoes makes the baseline's answer of the frames that answered the request
// of that id.
func newEchoes(id []byte, frames [][]byte) ([]echo, error) {
	var all []echo
	var subscription []byte
	for _, frame := range frames {
		seen, err := look(frame)
		if err != nil {
			return nil, err
		}
		var e echo
		if seen.id != nil {
			subscription = bytes.Clone(seen.subscription)
			at := bytes.Index(frame, id)
			if at < 0 {
				return nil, errors.New("the hub does not answer with the id that was sent")
			}
			e.frame = bytes.Clone(frame)
			e.ids = append(e.ids, [2]int{at, at + len(id)})
			err = e.replace(subscription, []byte(`"result"`))
		} else {
			e.frame = bytes.Clone(frame)
			err = e.replace(subscription, []byte(`"subscription"`))
		}
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// The baseline's subscriptions have the hub's length, but so many digits at
// least, or they could begin with a zero, and could repeat.
const leastDigits = 10

// replace puts ones in the place of the subscription that follows the name, and
// notes where they are.
func (e *echo) replace(subscription, name []byte) error {
	at := bytes.Index(e.frame, name)
	if at >= 0 && len(subscription) > 0 {
		if after := bytes.Index(e.frame[at+len(name):], subscription); after >= 0 {
			at += len(name) + after
			n := max(len(subscription), leastDigits)
			ones := bytes.Repeat([]byte("1"), n)
			e.frame = bytes.Join([][]byte{e.frame[:at], ones, e.frame[at+len(subscription):]}, nil)
			e.ids = append(e.ids, [2]int{at + n - min(n, idDigits), at + n})
			return nil
		}
	}
	return fmt.Errorf("no subscription is in %.200q", e.frame)
}
