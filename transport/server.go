// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/transport/websocket"
)

// Server serves one hub. Make it with [New].
type Server struct {
	hub          *hub.Hub
	log          *slog.Logger
	stop         time.Duration
	registration *registration // nil for none
	tls          *tls.Config
	run          []func(ctx context.Context, changed func()) // while Serve does
	mechanisms   []string                                    // nil: what the hub lists stays
	optionErrors error

	access accessControl
	ws     *websocket.Server
}

// Option sets what New leaves at its default. A wrong value is an error of Serve.
type Option func(*Server)

// WithLogger sets where the server logs; the default is slog.Default.
func WithLogger(log *slog.Logger) Option { return func(s *Server) { s.log = log } }

// WithLimits sets limits; those that are zero keep their default.
func WithLimits(limits Limits) Option { return func(s *Server) { s.access.limits = limits } }

// WithTLS serves wss instead of ws. [NewTLSConfig] makes a configuration from
// files; any other must not offer HTTP/2, over which WebSockets are not served.
// Each of run keeps the configuration current until ctx is done. Serve calls it,
// and waits for its end.
func WithTLS(config *tls.Config, run ...func(ctx context.Context)) Option {
	return func(s *Server) {
		if config == nil { // which would be a server without TLS
			s.fail(errors.New("WithTLS: no configuration"))
		}
		s.tls = config
		for _, run := range run {
			s.run = append(s.run, func(ctx context.Context, _ func()) { run(ctx) })
		}
	}
}

// WithStopTimeout sets how long a graceful stop may take before what is left
// is closed; the default is 8 seconds.
func WithStopTimeout(d time.Duration) Option { return func(s *Server) { s.stop = d } }

// New makes a server of h.
func New(h *hub.Hub, options ...Option) *Server {
	s := &Server{hub: h, log: slog.Default(), stop: 8 * time.Second}
	for _, option := range options {
		option(s)
	}
	if s.mechanisms != nil {
		if s.access.anonymous != nil {
			s.mechanisms = append([]string{"anonymous"}, s.mechanisms...)
		}
		h.SetMechanisms(s.mechanisms...)
	}
	s.ws = websocket.NewServer(h, s.access.limits.Limits, s.log)
	s.access.init(s.ws, s.log)
	return s
}

// fail keeps the error of an option for Serve.
func (s *Server) fail(err error) { s.optionErrors = errors.Join(s.optionErrors, err) }

// prepare makes the HTTP server, and the listener that it is to serve.
func (s *Server) prepare(l net.Listener) (*http.Server, net.Listener, error) {
	s.access.local = isLocal(l.Addr())
	if s.access.local && s.access.proxies != nil && len(s.access.hosts) == 0 {
		s.fail(errors.New("a server that listens on loopback behind a trusted proxy needs allowed hosts"))
	}
	if s.optionErrors != nil {
		return nil, nil, fmt.Errorf("serving %s: %w", l.Addr(), s.optionErrors)
	}
	if err := CheckExposure(l.Addr(), s.tls != nil, s.access.authenticates(), s.access.proxies...); err != nil && !s.access.insecure {
		return nil, nil, fmt.Errorf("%w: give WithTLS and WithAuthentication, or WithInsecure if that is meant", err)
	}
	limits := s.access.limits
	var http1 http.Protocols
	http1.SetHTTP1(true)
	server := &http.Server{
		Handler:     &s.access,
		ConnContext: withConn,
		Protocols:   &http1,
		// What is asked with OPTIONS * passes access control, too.
		DisableGeneralOptionsHandler: true,
		// They apply until the upgrade. The first is for the TLS handshake too.
		ReadHeaderTimeout: limits.HeaderTimeout,
		ReadTimeout:       limits.HandshakeTimeout,
		WriteTimeout:      limits.HandshakeTimeout,
		MaxHeaderBytes:    limits.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	l = &listener{l, s.access.connections}
	if s.tls != nil {
		l = tls.NewListener(l, s.tls)
	}
	return server, l, nil
}

// Serve serves the listener until ctx is done, and then stops gracefully:
// streams end, calls finish, WebSockets close with code 1001. It returns nil
// after a complete stop, an error if that took too long and connections were cut
// off, the listener's error if that fails, and at once the error of an option or of
// [CheckExposure]. In
// any case the listener is closed, and no connection is left. Serve may be called
// once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, l, func() {})
}

// serve is Serve, and calls begin once no option speaks against it.
func (s *Server) serve(ctx context.Context, l net.Listener, begin func()) error {
	server, limited, err := s.prepare(l)
	if err != nil {
		l.Close()
		return err
	}
	begin()
	defer s.background(ctx)()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(limited) }() // ends with Close
	deregister := s.register(ctx, l.Addr())
	var failure error
	select {
	case err := <-failed:
		failure = fmt.Errorf("serving %s: %w", l.Addr(), err)
		failed <- err
	case <-ctx.Done():
	}
	deregister() // while clients that look it up can still connect
	// First the listener and the pending connections, which have no calls to
	// finish: a client that only connects would delay the stop.
	server.Close()
	<-failed
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.stop)
	defer cancel()
	if err := s.ws.Shutdown(stopping); err != nil {
		err = fmt.Errorf("serving %s: connections were cut off at the end: %w", l.Addr(), err)
		return errors.Join(failure, err)
	}
	return failure
}

// recheckInterval is how often callers are authenticated again.
const recheckInterval = 30 * time.Second

// background runs what keeps credentials and certificates current, and
// authenticates callers again, until stop.
func (s *Server) background(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	changes := make(chan struct{}, 1)
	changed := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	for _, run := range s.run {
		running.Go(func() { run(ctx, changed) })
	}
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changes:
			case <-time.After(recheckInterval):
			}
			s.ws.Recheck(func(c net.Conn) error {
				if recheck := connUnder(c).recheck; recheck != nil {
					return recheck()
				}
				return nil
			})
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// ListenAndServe serves h at a TCP address, "127.0.0.1:4444", until ctx is
// done, and then closes the hub, and with it what it hosts. Port 0 is any free
// one; the address is logged.
func ListenAndServe(ctx context.Context, address string, h *hub.Hub, options ...Option) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return errors.Join(fmt.Errorf("serving %s: %w", h.Namespace(), err), h.Close())
	}
	s := New(h, options...)
	err = s.serve(ctx, l, func() {
		s.log.Info("serving", "hub", h.Namespace(), "url", LocalURL(l.Addr(), s.tls != nil))
	})
	return errors.Join(err, h.Close())
}
