// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"

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
func dial(ctx context.Context, s *connect.Settings, rawURL string) (c *connection, release func() bool, err error) {
	failed := &DialError{URL: address.Redact(rawURL), Step: StepURL}
	to, err := address.Parse(rawURL)
	if err != nil {
		failed.Err = err
		return nil, nil, failed
	}
	failed.Step = StepConnect
	release = func() bool { return true }
	var bounded *handshake
	var under *socket.Conn
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.NetDial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			failed.Step = StepUpgrade
			release = context.AfterFunc(ctx, func() { conn.Close() })
			bounded = &handshake{Conn: conn, left: maxHandshake}
			// A write that stalls fails after half as long again.
			under = socket.New(bounded, socket.Limits{Stall: s.Dead * 2 / 3, Silence: s.Dead})
			return under, nil
		},
		Proxy:           s.Proxy,
		TLSClientConfig: withoutZone(s.TLS, to.Hostname()),
		ReadBufferSize:  bufferBytes,
		WriteBufferSize: bufferBytes,
		WriteBufferPool: &writeBuffers,
	}
	dialing := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { failed.Step = StepTLS },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				failed.Step = StepUpgrade
			}
		},
	})
	ws, response, err := dialer.DialContext(dialing, to.String(), s.Header)
	if err == nil && ctx.Err() != nil {
		// gorilla has set the deadlines back, but the connection is closed.
		ws.Close()
		err = ctx.Err()
	}
	if err == nil {
		bounded.left = math.MaxInt64
		return &connection{
			Settings: s, ws: ws, socket: under,
			lost: make(chan struct{}), queued: make(chan struct{}, 1),
			pending: map[int64]*stream{}, streams: map[string]*stream{},
		}, release, nil
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

// withoutZone returns the configuration for a host. A certificate is for an address,
// and not for the interface that leads to it from here.
func withoutZone(config *tls.Config, host string) *tls.Config {
	ip, _, zoned := strings.Cut(host, "%")
	if !zoned {
		return config
	}
	config = cmp.Or(config, &tls.Config{}).Clone()
	config.ServerName = cmp.Or(config.ServerName, ip)
	return config
}

// maxHandshake bounds what is read from a hub before the upgrade, certificates
// included: the library reads a status line, or headers, of any length.
const maxHandshake = 64 << 10

// handshake is a connection of which only left bytes can be read.
type handshake struct {
	net.Conn
	left int64
}

func (h *handshake) Read(p []byte) (int, error) {
	if h.left == 0 {
		return 0, protocolError("the answer to the upgrade is too long")
	}
	n, err := h.Conn.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}
