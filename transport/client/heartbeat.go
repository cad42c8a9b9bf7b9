// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"strconv"
	"sync"
	"time"
)

const (
	// quickPing is how long a request is sent before the hub is pinged.
	quickPing = time.Second
	// doubtAfter is how long nothing may come after a ping before a connection is
	// doubted, and another one is made.
	doubtAfter = 2 * time.Second
)

// heartbeat decides when the hub is pinged: a second after a request was sent, then
// after longer waits, up to Settings.Ping. The writer sends the pings; while it is
// stuck, the connection is doubted all the same.
type heartbeat struct {
	conn *connection

	mu       sync.Mutex
	timer    *time.Timer
	wait     time.Duration // between two pings; they are answered in time
	number   int           // of the last ping
	pinged   time.Time     // when that was asked for; zero once it is answered
	due      bool          // it is to be sent
	doubted  bool          // it should have been answered
	inDoubt  chan struct{} // closed while the connection is doubted
	finished bool
}

// start begins to beat, until stop.
func (h *heartbeat) start(conn *connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conn, h.wait, h.inDoubt = conn, conn.Ping, make(chan struct{})
	h.timer = time.AfterFunc(h.wait, h.beat)
	conn.ws.SetPongHandler(func(payload string) error { h.pong(payload); return nil })
}

func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finished = true
	h.timer.Stop()
}

// hurry notes that a request was sent.
func (h *heartbeat) hurry() {
	h.mu.Lock()
	defer h.mu.Unlock()
	quick := min(quickPing, h.conn.Ping)
	if h.wait > quick && h.pinged.IsZero() && !h.finished {
		h.timer.Reset(quick)
	}
	h.wait = quick
}

// beat asks for a ping, unless one is still to be answered, or something has come
// since. A hub whose answer could not be read might close the connection.
func (h *heartbeat) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.finished {
		return
	}
	since, silent, wait := time.Since(h.pinged), h.conn.socket.Silent(), min(quickPing, h.conn.Ping)
	switch {
	case h.conn.held.Load():
	case h.pinged.IsZero() && silent < wait && h.conn.Proved == nil:
		wait -= silent
	case h.pinged.IsZero() || since >= h.conn.Dead:
		h.number++
		h.pinged, h.due = time.Now(), true
		h.wait = min(8*h.wait, h.conn.Ping)
		signal(h.conn.queued)
	case !h.doubted && since >= doubtAfter && silent >= doubtAfter:
		h.doubted = true
		close(h.inDoubt)
	}
	h.timer.Reset(wait)
}

// next returns the payload of the ping that is to be sent, if there is one.
func (h *heartbeat) next() (payload []byte, due bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	due, h.due = h.due, false
	return strconv.AppendInt(nil, int64(h.number), 10), due
}

// pong notes that a ping is answered. All that the hub has sent before has arrived.
func (h *heartbeat) pong(payload string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if payload != strconv.Itoa(h.number) || h.pinged.IsZero() {
		return // of an earlier one, or of none
	}
	if proved := h.conn.Proved; proved != nil {
		proved(h.pinged)
	}
	h.pinged = time.Time{}
	if h.doubted {
		h.doubted, h.inDoubt = false, make(chan struct{})
	}
	if !h.finished {
		h.timer.Reset(h.wait)
	}
}

// doubt returns a channel that is closed while the hub should have answered.
func (h *heartbeat) doubt() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.inDoubt
}
