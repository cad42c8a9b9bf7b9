// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/internal/connect"
	"github.com/plexus-go/plexus/internal/socket"
)

// bufferBytes is how much of a connection is buffered in each direction. What
// is larger is read past the buffer, and written in fragments.
const bufferBytes = 1 << 10

// writeBuffers are shared by all connections: an idle one needs none.
var writeBuffers sync.Pool

// dial dials rawURL and upgrades. Until release is called, the end of ctx closes
// the connection, so that nothing done with it outlasts ctx.
func dial(ctx context.Context, s *connect.Settings, rawURL string) (ws *websocket.Conn, under *socket.Conn, release func() bool, err error) {
	failed := &DialError{URL: address.Redact(rawURL), Step: StepConnect}
	u, err := address.Parse(rawURL)
	if err != nil {
		failed.Step, failed.Err = StepURL, err
		return nil, nil, nil, failed
	}
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
			// A write that stalls fails after half as long again.
			under = socket.New(bounded, socket.Limits{Stall: s.Dead * 2 / 3, Silence: s.Dead})
			return under, nil
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
		return ws, under, release, nil
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
	return nil, nil, nil, failed
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
