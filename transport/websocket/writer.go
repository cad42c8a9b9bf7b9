// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"errors"
	"runtime"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
)

// What a client had sent before the session was to end is still served: until
// it has sent nothing for the quiet time, or at the latest for the linger time.
const (
	quiet  = 50 * time.Millisecond
	linger = time.Second
)

// write is the writer. It returns why the session ends: nothing more can be
// read (errLeft), the client does not read (errStalled), wants nothing
// (errIdle), must leave (errExpelled), the session was to end and its calls
// have (hub.ErrShutdown), or an error of the socket.
func (c *session) write() error {
	ping := time.NewTicker(c.server.limits.PingInterval)
	defer ping.Stop()
	idle := idleCheck{since: time.Now()}
	stopping := c.stopping
	var ended chan struct{}      // all calls, once the session lingers no more
	var silence <-chan time.Time // while the session lingers
	var last time.Time           // when it no longer does
	var read int64               // how many messages had been read at the last check
	for {
		var err error
		select {
		case <-c.readerEnded:
			if c.readError == errAborted {
				_ = c.flush()
			}
			return errLeft
		case <-c.queue.wake:
			// Let the calls that are ready add to what is written at once.
			runtime.Gosched()
			err = c.flush()
		case data := <-c.reader.pings:
			err = c.control(websocket.PongMessage, []byte(data))
		case <-ping.C:
			if idle.expired(c) {
				return errIdle
			}
			err = c.control(websocket.PingMessage, nil)
		case <-c.expelled:
			return errExpelled
		case <-stopping:
			stopping = nil
			c.cancel(hub.ErrShutdown)
			silence, last, read = time.After(quiet), time.Now().Add(linger), c.reader.messages.Load()
		case <-silence:
			if now := c.reader.messages.Load(); now != read && time.Now().Before(last) {
				silence, read = time.After(quiet), now
				continue
			}
			silence = nil
			c.calls.close()
			ended = make(chan struct{})
			go func() { // ends with the calls
				c.calls.running.Wait()
				close(ended)
			}()
		case <-ended:
			if err = c.flush(); err == nil {
				err = hub.ErrShutdown
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

// idleCheck finds out that a client has had no call for too long.
type idleCheck struct {
	messages int64     // how many it has sent
	since    time.Time // when it last sent one, or had a call, as far as was seen
}

func (i *idleCheck) expired(c *session) bool {
	if messages := c.reader.messages.Load(); messages != i.messages || !c.calls.idle() {
		i.messages, i.since = messages, time.Now()
	}
	return time.Since(i.since) >= c.server.limits.IdleTimeout
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
	c.queue.wakeWriter()
}

// flush writes what is queued now.
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

// control sends a ping or a pong, in turn with what the reader may be writing:
// the library would wait for that only until the deadline, and then fail.
func (c *session) control(kind int, data []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.ws.WriteControl(kind, data, time.Now().Add(goodbye))
}
