// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"
)

// bufferBytes is how much of a connection is buffered in each direction. What
// is larger is read past the buffer, and written in fragments.
const bufferBytes = 1 << 10

// writeBuffers are shared by all connections: an idle one needs none.
var writeBuffers sync.Pool

// netDialer connects without the probes of TCP: the protocol has its own.
var netDialer = net.Dialer{KeepAlive: -1}

// connect dials url and upgrades. wrap, unless it is nil, is given the
// connection to put something over it. Until release is called, the end of ctx
// closes the connection, so that nothing done with it outlasts ctx.
func (s *settings) connect(ctx context.Context, address string, wrap func(net.Conn) net.Conn) (ws *websocket.Conn, release func() bool, err error) {
	u, err := parseURL(address)
	if err != nil {
		return nil, nil, err
	}
	failed := &DialError{URL: shownURL(address), Step: StepConnect}

	release = func() bool { return true }
	upgraded := func() {}
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.netDial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			failed.Step = StepUpgrade
			release = context.AfterFunc(ctx, func() { conn.Close() })
			bounded := &handshake{Conn: conn, left: mostHandshake}
			upgraded = func() { bounded.over.Store(true) }
			if wrap != nil {
				return wrap(bounded), nil
			}
			return bounded, nil
		},
		Proxy:           s.proxy,
		TLSClientConfig: s.tls,
		ReadBufferSize:  bufferBytes,
		WriteBufferSize: bufferBytes,
		WriteBufferPool: &writeBuffers,
	}
	dialing := ctx
	if u.Scheme == "wss" {
		dialing = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			TLSHandshakeStart: func() { failed.Step = StepTLS },
			TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
				if err == nil {
					failed.Step = StepUpgrade
				}
			},
		})
	}
	ws, response, err := dialer.DialContext(dialing, address, s.header)
	if err == nil && ctx.Err() != nil {
		// gorilla has set the deadlines back, but the connection is closed.
		ws.Close()
		err = ctx.Err()
	}
	if err == nil {
		upgraded()
		return ws, release, nil
	}
	release()
	if response != nil {
		failed.Status = response.StatusCode
		err = fmt.Errorf("the answer is %s", response.Status)
		if response.StatusCode == http.StatusSwitchingProtocols {
			err = protocolError("the answer is no upgrade to a WebSocket")
		}
	}
	failed.Err = orContext(ctx, err)
	return nil, nil, failed
}

// mostHandshake bounds what is read of a hub before the upgrade, certificates
// included: the library reads a status line, or headers, of any length.
const mostHandshake = 64 << 10

// handshake is a connection that reads so much and no more until it is over.
type handshake struct {
	net.Conn
	left int
	over atomic.Bool
}

func (h *handshake) Read(p []byte) (int, error) {
	if h.over.Load() {
		return h.Conn.Read(p)
	}
	if h.left == 0 {
		return 0, protocolError("the answer to the upgrade is too long")
	}
	n, err := h.Conn.Read(p[:min(len(p), h.left)])
	h.left -= n
	return n, err
}

func (s *settings) netDial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.dial != nil {
		return s.dial(ctx, network, address)
	}
	return netDialer.DialContext(ctx, network, address)
}

// parseURL reads an address. Its error is a DialError.
func parseURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	var syntax *url.Error
	switch {
	case errors.As(err, &syntax):
		err = syntax.Err // or the address would be told twice
	case err != nil:
	case u.Scheme != "ws" && u.Scheme != "wss":
		err = fmt.Errorf("the scheme %q is neither ws nor wss", u.Scheme)
	case u.Hostname() == "":
		err = errors.New("there is no host")
	case u.User != nil:
		err = errors.New("a user has no place in it: use WithToken, WithCookie or WithHeader")
	}
	if err != nil {
		return nil, &DialError{URL: shownURL(address), Step: StepURL, Err: err}
	}
	return u, nil
}

// shownURL is an address without what may be secret.
func shownURL(address string) string {
	address, _, _ = strings.Cut(address, "?")
	if scheme, rest, ok := strings.Cut(address, "://"); ok {
		authority, path, slash := strings.Cut(rest, "/")
		authority = authority[strings.LastIndexByte(authority, '@')+1:]
		address = scheme + "://" + authority
		if slash {
			address += "/" + path
		}
	}
	return address
}
