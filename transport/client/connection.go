// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/internal/connect"
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
	*connect.Settings
	ws     *websocket.Conn
	socket *socket.Conn
	info   HubInfo
	heart  heartbeat
	held   atomic.Bool // the reader waits for a range, and reads nothing meanwhile

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

// open connects and asks for the hub's name. The connection is to be run, or
// closed.
func open(ctx context.Context, s *connect.Settings, url string) (*connection, error) {
	c, release, err := dial(ctx, s, url)
	if err != nil {
		return nil, err
	}
	c.info, err = ask(c.ws, min(s.MaxMessageBytes, maxInfo))
	c.lastID.Store(1) // that of _info
	if !release() && err == nil {
		err = ctx.Err() // which has closed the connection
	}
	if err != nil {
		c.socket.Close()
		return nil, &DialError{URL: address.Redact(url), Step: StepInfo, Err: orContext(ctx, err)}
	}
	return c, nil
}

// run serves the connection, whose heart beats, until it is lost, or ctx is done,
// and returns why when nothing of it is left.
func (c *connection) run(ctx context.Context) error {
	defer c.heart.stop()
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
		c.sendClose(websocket.CloseNormalClosure)
		<-c.lost
	case errors.Is(err, ErrProtocol):
		c.sendClose(websocket.CloseProtocolError)
	case errors.Is(err, ErrTooLarge):
		c.sendClose(websocket.CloseMessageTooBig)
	}
	c.socket.Close()
	<-c.lost
	return err
}

// sendClose sends a close frame. An error means that the connection is closed.
func (c *connection) sendClose(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(closeTimeout))
}
