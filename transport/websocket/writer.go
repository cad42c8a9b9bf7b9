// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"cmp"
	"errors"
	"runtime"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
)

// write is the writer. It returns why the session ends: the reader's error once
// nothing more can be read, errStalled for a client that does not read, errIdle
// for one that wants nothing, what endFor was given, or an error of the socket.
func (c *session) write() error {
	ping := time.NewTicker(c.server.limits.PingInterval)
	defer ping.Stop()
	var messages int64 // how many the client has sent
	busy := time.Now() // when it last sent one, or had a call, as far as was seen
	for {
		var err error
		select {
		case <-c.readerEnded:
			switch {
			case c.readError == errAborted:
				_ = c.flush()
			case c.reader.tooSlow(c.readError):
				return errSlow
			}
			return c.readError
		case <-c.queue.wake:
			// Let the calls that are ready add to what is written at once. Where there
			// are none, it would only wait for whatever else runs.
			if !c.calls.idle() {
				runtime.Gosched()
			}
			err = c.flush()
		case <-ping.C:
			if n := c.reader.messages.Load(); n != messages || !c.calls.idle() {
				messages, busy = n, time.Now()
			}
			if time.Since(busy) >= c.server.limits.IdleTimeout {
				return errIdle
			}
			err = c.ping()
		case err = <-c.leave:
			if err == hub.ErrShutdown { // the calls have ended, and their last items are sent
				err = cmp.Or(c.flush(), err)
			}
		}
		if c.socket.Stalled() {
			return errStalled
		}
		if err != nil {
			return err
		}
	}
}

// flushIfIdle writes what is queued. While the writer writes, and after a failure,
// it leaves that to the writer.
func (c *session) flushIfIdle() {
	if c.writing.TryLock() {
		err := c.flushLocked()
		c.writing.Unlock()
		if err == nil && !c.socket.Stalled() {
			return
		}
	}
	c.queue.wake.set()
}

func (c *session) flush() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.flushLocked()
}

func (c *session) flushLocked() error {
	batch := c.queue.take()
	if batch == nil {
		return nil
	}
	defer c.queue.giveBack()
	c.socket.Cork()
	var err error
	for _, data := range batch.pongs {
		err = errors.Join(err, c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(goodbye)))
	}
	begin := 0
	for _, end := range batch.ends {
		err = c.ws.WriteMessage(websocket.TextMessage, batch.buf[begin:end])
		if err != nil || c.socket.Stalled() {
			break
		}
		begin = end
	}
	return errors.Join(err, c.socket.Uncork())
}

// ping sends a ping, in turn with what the reader may be writing: the library
// would wait for that only until the deadline, and then fail.
func (c *session) ping() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(goodbye))
}
