// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/gorilla/websocket"
)

// readMessage reads the next message into buf. One over the limit is
// ErrTooLarge; buf then has its beginning, and the rest is still to be read.
func readMessage(ws *websocket.Conn, buf *bytes.Buffer, limit int64) error {
	_, r, err := ws.NextReader()
	if err != nil {
		return err
	}
	if _, err := buf.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return err
	}
	if int64(buf.Len()) > limit {
		return fmt.Errorf("%w of %d bytes", ErrTooLarge, limit)
	}
	return nil
}

// lostError words how a connection ended that nobody here closed.
func lostError(err error) error {
	var closed *websocket.CloseError
	switch {
	case errors.Is(err, ErrTooLarge):
		return err
	case !errors.As(err, &closed):
		return fmt.Errorf("%w: %w", ErrLost, err)
	case closed.Code == websocket.CloseAbnormalClosure:
		return fmt.Errorf("%w: it broke off", ErrLost)
	case closed.Text == "":
		return fmt.Errorf("%w: the hub closed it with code %d", ErrLost, closed.Code)
	}
	return fmt.Errorf("%w: the hub closed it with code %d: %s", ErrLost, closed.Code, closed.Text)
}
