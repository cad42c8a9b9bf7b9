// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"bufio"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/socket"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// sendBuffer is how many bytes the kernel may hold for a client that does not
// read.
const sendBuffer = 128 << 10

// subprotocol is answered to clients that offer it, and no other is.
const subprotocol = "plexus"

// Server upgrades HTTP requests, whatever their path, and serves a hub to
// those clients. Make it with [NewServer].
type Server struct {
	hub      *hub.Hub
	limits   Limits
	log      *slog.Logger
	ids      *wire.Subscriptions
	upgrader websocket.Upgrader

	queued  *memoryLimiter // of all send queues
	reading *memoryLimiter // of all messages that are being read

	mu       sync.Mutex
	counts   Counts // without Connections, Held and Refused
	sessions map[*session]struct{}
	stopped  bool
	ended    sync.WaitGroup // for each session, and for those that end them
}

var _ http.Handler = (*Server)(nil)

// NewServer makes a server of h.
//
// A handler around it decides who may connect, and as whom: it puts the caller
// into the request's context (plugin.WithCaller). Without one, everybody but web
// pages may connect, and do everything: requests with an Origin are refused.
func NewServer(h *hub.Hub, limits Limits, log *slog.Logger) *Server {
	limits = limits.withDefaults()
	s := &Server{
		hub:    h,
		limits: limits,
		log:    log,
		ids:    wire.NewSubscriptions(h.Namespace()),
		upgrader: websocket.Upgrader{
			HandshakeTimeout: 10 * time.Second,
			// Large messages do not go through these buffers.
			ReadBufferSize:  1 << 10,
			WriteBufferSize: 1 << 10,
			WriteBufferPool: &sync.Pool{},
			CheckOrigin: func(r *http.Request) bool {
				return len(r.Header["Origin"]) == 0 || plugin.CallerOf(r.Context()).Remote != ""
			},
			// Others that a page offers are for access control. They may be
			// secrets, and are never sent back.
			Subprotocols: []string{subprotocol},
		},
		sessions: map[*session]struct{}{},
	}
	patience := limits.StallTimeout / hurries
	third := limits.MaxMemoryBytes / 3
	s.queued = &memoryLimiter{limit: limits.MaxMemoryBytes - third, wait: limits.StallTimeout, hurry: func() {
		for _, c := range s.all() {
			if c.queue.holdsMemory() {
				c.socket.Hurry(patience)
			}
		}
	}}
	s.reading = &memoryLimiter{limit: third, wait: limits.StallTimeout, hurry: func() {
		for _, c := range s.all() {
			c.reader.hurry(patience)
		}
	}}
	return s
}

func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.sessions))
}

// ServeHTTP upgrades the request and returns; the connection is served by
// goroutines that Shutdown waits for.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		// To close comes first: else a body that lags would be waited for.
		w.Header()["Connection"] = []string{"close", "Upgrade"}
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "This is the Plexus hub "+s.hub.Namespace()+". Connect to it by WebSocket.", http.StatusUpgradeRequired)
		return
	}
	hijacker := &hijacker{ResponseWriter: w, limits: s.limits}
	ws, err := s.upgrader.Upgrade(hijacker, r, nil)
	if err != nil {
		s.log.Debug("an upgrade failed", "remote", r.RemoteAddr, "error", err)
		return
	}
	caller := plugin.CallerOf(r.Context())
	if caller.Remote == "" { // anybody, who may do everything
		caller = plugin.Caller{Remote: r.RemoteAddr, Scopes: []string{"*"}}
	}
	c := newSession(s, ws, hijacker.socket, caller)
	s.mu.Lock()
	stopped := s.stopped
	if !stopped {
		s.sessions[c] = struct{}{}
		s.ended.Go(func() {
			c.serve()
			s.mu.Lock()
			delete(s.sessions, c)
			s.mu.Unlock()
		})
	}
	s.mu.Unlock()
	if stopped {
		c.close(websocket.CloseGoingAway, hub.ErrShutdown.Error())
		c.socket.Close()
	}
}

// Recheck calls check for each connection, and closes those for which it returns
// an error, with code 1008. conn is the connection that the request was read
// from.
func (s *Server) Recheck(check func(conn net.Conn) error) {
	for _, c := range s.all() {
		if err := check(c.socket.Conn); err != nil {
			s.log.Warn("closing the connection of a caller without valid credentials", "remote", c.remote, "error", err)
			c.endFor(errExpelled)
		}
	}
}

// Counts are the counters of a server. All but the first two count since it was
// made.
type Counts struct {
	Connections int64 // that are open
	Held        int64 // bytes of Limits.MaxMemoryBytes that are in use
	Slowed      int64 // waits of clients that make too many calls a second
	Stalled     int64 // clients that were closed because they read or sent too slowly
	Idle        int64 // clients that were closed because they were idle
	Large       int64 // messages over Limits.MaxMessageBytes
	Deep        int64 // messages over Limits.MaxDepth
	Busy        int64 // calls that were refused because too many ran
	Refused     int64 // items and messages for which no memory was left
}

// Counts returns the present counts.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.counts
	counts.Connections = int64(len(s.sessions))
	counts.Held = s.queued.used.Load() + s.reading.used.Load()
	counts.Refused = s.queued.refused.Load() + s.reading.refused.Load()
	return counts
}

// count adds one to a field of s.counts.
func (s *Server) count(field *int64) {
	s.mu.Lock()
	*field++
	s.mu.Unlock()
}

// Shutdown ends every stream, lets the calls finish, closes every connection
// with code 1001, and waits for all that. When ctx is done it closes what is
// left at once, and returns the context's error. Later connections are closed
// as they come.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		for c := range s.sessions {
			s.ended.Go(c.stop)
		}
	}
	s.mu.Unlock()

	ended := make(chan struct{})
	go func() { // ends with the sessions
		s.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.sessions {
		c.socket.Abort()
	}
	s.mu.Unlock()
	return ctx.Err()
}

// hijacker puts a socket under the connection that the upgrade takes over.
type hijacker struct {
	http.ResponseWriter
	limits Limits
	socket *socket.Conn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.socket = socket.New(conn, socket.Limits{Stall: h.limits.StallTimeout, Silence: h.limits.DeadTimeout, SendBuffer: sendBuffer})
	return h.socket, rw, nil
}
