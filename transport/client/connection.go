// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/socket"
)

// closeTimeout is how long the closing handshake may take.
const closeTimeout = time.Second

// connection is one connection to a hub. It has two goroutines: run, which
// writes, and read.
//
// The server's end stands on sourcegraph/jsonrpc2; here it would be in the
// way. A stream must be known by its subscription before the next frame is
// read, so the answer has to be matched by the reader, and not by whoever
// waits for it. An error that is answered with the id null would go to the
// request 0, one whose code is a string would cost the connection. The library
// does not say whether a request had left when the connection was lost, holds
// a lock while it writes, whatever the caller's context says, and its
// goroutines can't be waited for.
type connection struct {
	*settings
	ws     *websocket.Conn
	socket *socket.Conn
	info   HubInfo

	lost    chan struct{} // closed when nothing more will be read
	lostErr error         // why, once lost
	queued  chan struct{} // signals that there are frames in queue
	written []outgoing    // the writer's, to be used again as queue

	lastID  atomic.Int64 // of a request
	mu      sync.Mutex
	queue   []outgoing         // to be sent
	pending map[int64]*stream  // sent, or to be sent, and not answered, by id
	streams map[string]*stream // answered, by the key of the subscription
	err     error              // why no call can begin any more
}

// open connects and asks for the hub's name.
func (s *settings) open(ctx context.Context, url string) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.DialTimeout)
	defer cancel()
	var under *socket.Conn
	ws, release, err := s.connect(ctx, url, func(conn net.Conn) net.Conn {
		// A write that stalls fails after half as long again.
		under = socket.New(conn, socket.Limits{Stall: s.Dead * 2 / 3, Silence: s.Dead})
		return under
	})
	if err != nil {
		return nil, err
	}
	info, err := s.ask(ws)
	if !release() && err == nil {
		err = ctx.Err() // which has closed the connection
	}
	if err != nil {
		under.Close()
		return nil, infoFailed(ctx, url, err)
	}
	c := &connection{
		settings: s, ws: ws, socket: under, info: info,
		lost: make(chan struct{}), queued: make(chan struct{}, 1),
		pending: map[int64]*stream{}, streams: map[string]*stream{},
	}
	c.lastID.Store(1) // that of _info
	return c, nil
}

// run serves the connection until it is lost, or ctx is done, and returns why
// when nothing of it is left.
func (c *connection) run(ctx context.Context) error {
	go c.read()
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		c.socket.Finish(closeTimeout) // or else a hub that does not read blocks the writer
	})
	err := c.write(ctx)
	if !stop() {
		<-finished
	}
	c.fail(err)
	c.socket.Finish(closeTimeout)
	switch {
	case errors.Is(err, ErrClosed):
		// What was sent before is read by the hub before it answers this.
		sendClose(c.ws, websocket.CloseNormalClosure)
		<-c.lost
	case errors.Is(err, ErrProtocol):
		sendClose(c.ws, websocket.CloseProtocolError)
	case errors.Is(err, ErrTooLarge):
		sendClose(c.ws, websocket.CloseMessageTooBig)
	}
	c.socket.Close()
	<-c.lost
	return err
}

// sendClose sends a close frame. An error means that the connection is closed.
func sendClose(ws *websocket.Conn, code int) {
	_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(closeTimeout))
}
