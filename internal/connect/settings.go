// SPDX-License-Identifier: AGPL-3.0-only

package connect

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// Settings are all options of a client together. They don't change once a
// connection was made with them.
type Settings struct {
	TLS             *tls.Config
	Header          http.Header
	Proxy           func(*http.Request) (*url.URL, error)
	NetDial         func(ctx context.Context, network, address string) (net.Conn, error)
	MaxMessageBytes int64
	DialTimeout     time.Duration
	// Answer returns the answer, JSON text, to a question of the method; nil
	// cancels all questions.
	Answer func(ctx context.Context, method string, question *plugin.Item) ([]byte, error)

	QueueItems int
	QueueBytes int
	QueueWait  time.Duration

	Ping time.Duration // silence after which the hub is pinged; with Proved, the time between two pings
	Dead time.Duration // silence after which the connection is lost

	Reconnect bool
	MinWait   time.Duration // before the first attempt to connect again
	MaxWait   time.Duration

	// Proved is called when the hub is known to have been there at a time, and all
	// that it had sent until then to have arrived; nil for nothing.
	Proved func(time.Time)
	// Ended is called once the client has ended, with the reason; nil for
	// nothing.
	Ended func(error)
	Log   *slog.Logger
}

// Defaults are the settings without options.
func Defaults() *Settings {
	return &Settings{
		Proxy:           http.ProxyFromEnvironment,
		NetDial:         dial,
		MaxMessageBytes: 10 << 20,
		DialTimeout:     10 * time.Second,
		QueueItems:      4096,
		QueueBytes:      16 << 20,
		QueueWait:       2 * time.Second,
		Ping:            30 * time.Second,
		Dead:            70 * time.Second,
		Reconnect:       true,
		MinWait:         100 * time.Millisecond,
		MaxWait:         30 * time.Second,
		Log:             slog.New(slog.DiscardHandler),
	}
}
