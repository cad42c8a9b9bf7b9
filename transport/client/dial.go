// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/address"
)

// bufferBytes is how much of a connection is buffered in each direction. What
// is larger is read past the buffer, and written in fragments.
const bufferBytes = 1 << 10

// writeBuffers are shared by all connections: an idle one needs none.
var writeBuffers sync.Pool

// connect dials rawURL and upgrades. wrap, unless it is nil, wraps the TCP
// connection. Until release is called, the end of ctx closes the connection, so
// that nothing done with it outlasts ctx.
func (s *settings) connect(ctx context.Context, rawURL string, wrap func(net.Conn) net.Conn) (ws *websocket.Conn, release func() bool, err error) {
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, nil, err
	}
	failed := &DialError{URL: address.Redact(rawURL), Step: StepConnect}

	release = func() bool { return true }
	upgraded := func() {}
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.NetDial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			failed.Step = StepUpgrade
			release = context.AfterFunc(ctx, func() { conn.Close() })
			bounded := &handshake{Conn: conn, left: maxHandshake}
			upgraded = func() { bounded.over.Store(true) }
			if wrap != nil {
				return wrap(bounded), nil
			}
			return bounded, nil
		},
		Proxy:           s.Proxy,
		TLSClientConfig: s.TLS,
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
	ws, response, err := dialer.DialContext(dialing, rawURL, s.Header)
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

// maxHandshake bounds what is read from a hub before the upgrade, certificates
// included: the library reads a status line, or headers, of any length.
const maxHandshake = 64 << 10

// handshake is a connection of which only left bytes can be read until over is
// set.
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

// parseURL reads an address. Its error is a DialError.
func parseURL(text string) (*url.URL, error) {
	u, err := address.Parse(text)
	if err != nil {
		return nil, &DialError{URL: address.Redact(text), Step: StepURL, Err: err}
	}
	return u, nil
}
