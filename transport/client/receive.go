// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"errors"
	"fmt"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/socket"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// readMessage reads the next message. Of one over the limit it returns the
// beginning and ErrTooLarge.
func readMessage(ws *websocket.Conn, limit int64) ([]byte, error) {
	_, r, err := ws.NextReader()
	if err != nil {
		return nil, err
	}
	text, err := socket.ReadMessage(r, limit)
	if errors.Is(err, socket.ErrTooLarge) {
		err = fmt.Errorf("%w of %d bytes", ErrTooLarge, limit)
	}
	return text, err
}

// lostError is the error of a connection that was not closed here.
func lostError(err error) error {
	var closed *websocket.CloseError
	switch {
	case errors.Is(err, ErrTooLarge):
		return err
	case !errors.As(err, &closed):
		return fmt.Errorf("%w: %w", ErrLost, err)
	case closed.Code == websocket.CloseAbnormalClosure:
		return fmt.Errorf("%w: it was cut off", ErrLost)
	case closed.Text == "":
		return fmt.Errorf("%w: the hub closed it with code %d", ErrLost, closed.Code)
	}
	return fmt.Errorf("%w: the hub closed it with code %d: %s", ErrLost, closed.Code, closed.Text)
}

// read is the reader.
func (c *connection) read() {
	defer close(c.lost)
	for c.lostErr == nil {
		c.lostErr = c.readOne()
	}
	c.socket.Finish(closeTimeout) // the writer may be stuck
}

func (c *connection) readOne() error {
	text, err := readMessage(c.ws, c.MaxMessageBytes)
	if err != nil {
		if errors.Is(err, ErrTooLarge) {
			if subscription := wire.PeekSubscription(text); subscription != nil {
				c.abandon(subscription, err) // only that stream fails
				return nil
			}
		}
		return lostError(err)
	}
	f, err := wire.ParseFrame(text)
	if err != nil {
		return protocolError("%v", err)
	}
	switch {
	case f.Subscription != nil:
		c.item(f)
	case f.ID != nil && (f.Result != nil || f.Err != nil):
		c.answered(f)
	}
	return nil
}

// item passes an item to its stream.
func (c *connection) item(f *wire.Frame) {
	last := f.Item.Kind == plugin.KindDone || f.Item.Kind == plugin.KindError && !f.Item.Recoverable
	s := c.stream(f.Subscription, last)
	switch {
	case s == nil: // broken off, or unknown
	case f.Item.Kind == plugin.KindDone:
		s.end(nil)
	case last:
		s.end(streamError(s.method, &f.Item))
	default:
		for !s.offer(&f.Item, c.QueueItems, c.QueueBytes) {
			c.held.Store(true)
			taken := s.wait(c.QueueWait, c.alone())
			c.held.Store(false)
			if !taken {
				c.abandon(f.Subscription, ErrSlow)
				return
			}
		}
	}
}
