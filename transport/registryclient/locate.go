// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/internal/connect"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// ErrNoRegistry is the error where PLEXUS_NO_REGISTRY says that no registry is
// to be used.
var ErrNoRegistry = errors.New("no registry is to be used")

// URLs returns where to look for the registry, in this order, when no URL is
// given: at the one of PLEXUS_REGISTRY_URL, or else at [DefaultURLs] of
// 127.0.0.1. It returns nil where PLEXUS_NO_REGISTRY is 1, true or yes, in any
// case. Pass os.Getenv.
func URLs(getenv func(string) string) []string {
	switch strings.ToLower(strings.TrimSpace(getenv("PLEXUS_NO_REGISTRY"))) {
	case "1", "true", "yes":
		return nil
	}
	if url := strings.TrimSpace(getenv("PLEXUS_REGISTRY_URL")); url != "" {
		return []string{url}
	}
	return DefaultURLs("127.0.0.1")
}

// DefaultURLs returns where a registry on a host is looked for, in this order:
// at port 4445, which is that of registries, and at 4444, where other hubs
// serve one among other things. IPv6 addresses are without brackets.
func DefaultURLs(host string) []string {
	return []string{address.URL("ws", host, 4445), address.URL("ws", host, 4444)}
}

// WithLogger sets where [Register] and a [Resolver] log each change of their
// state, once; the default is nowhere.
func WithLogger(log *slog.Logger) client.Option {
	return func(s *connect.Settings) {
		if log != nil {
			s.Log = log
		}
	}
}

// How long other Plexus hubs wait for a registry.
const (
	dialTimeout = 2 * time.Second
	callTimeout = 5 * time.Second
)

// locator connects to a registry at the first of its addresses where there is
// one.
type locator struct {
	connect.Settings
	urls []string
}

// newLocator returns a locator for a URL, or for [URLs] where it is empty. A
// connection that is lost is noticed, and made again, within a few seconds. The
// error is ErrNoRegistry or a [*client.DialError].
func newLocator(url string, getenv func(string) string, options []client.Option) (*locator, error) {
	l := &locator{Settings: *connect.Defaults(), urls: []string{url}}
	for _, option := range append([]client.Option{
		client.WithDialTimeout(dialTimeout),
		client.WithKeepAlive(time.Second, 3*time.Second),
		client.WithBackoff(250*time.Millisecond, 2*time.Second),
	}, options...) {
		option(&l.Settings)
	}
	l.Reconnect = false // every lost connection matters
	if url == "" {
		if l.urls = URLs(getenv); l.urls == nil {
			return l, ErrNoRegistry
		}
	}
	for _, url := range l.urls {
		if _, err := address.Parse(url); err != nil {
			return l, &client.DialError{URL: address.Redact(url), Step: client.StepURL, Err: err}
		}
	}
	return l, nil
}

// exclude removes a port of the loopback, where the hub itself listens, from
// the default addresses. A URL that was given stays.
func (l *locator) exclude(port int) {
	if len(l.urls) > 1 {
		l.urls = slices.DeleteFunc(l.urls, func(url string) bool { return strings.HasSuffix(url, ":"+strconv.Itoa(port)) })
	}
}

// logger returns where to log, with the addresses.
func (l *locator) logger() *slog.Logger {
	var shown []string
	for _, url := range l.urls {
		shown = append(shown, address.Redact(url))
	}
	return l.Log.With("registry", strings.Join(shown, ", "))
}

// connect connects to the first address with a registry. When abort is done, the
// connection is closed at once.
func (l *locator) connect(ctx, abort context.Context) (*registry, error) {
	var failed error
	for i, url := range l.urls {
		r, err := l.dial(ctx, abort, url, i == 0)
		if err == nil && i < len(l.urls)-1 && !r.isRegistry(ctx) {
			r.Close()
			err = fmt.Errorf("%s at %s has no registry", r.Hub(), url)
		}
		if err == nil {
			return r, nil
		}
		if failed != nil {
			err = fmt.Errorf("%w; %w", failed, err)
		}
		failed = err
	}
	return nil, failed
}

// registry is a connection to one.
type registry struct {
	*client.Client
	url   string
	local net.Addr                  // our end of the connection
	lost  chan struct{}             // closed when the connection is lost
	err   error                     // why, once lost
	pong  atomic.Pointer[time.Time] // the registry was there then, at least; nil before it has answered a ping
	begun time.Time
}

// dial connects to a hub. Only the first address gets credentials: they were
// given for one registry, not for whatever listens on the other port.
func (l *locator) dial(ctx, abort context.Context, url string, credentials bool) (*registry, error) {
	r := &registry{url: url, lost: make(chan struct{}), begun: time.Now()}
	settings := l.Settings
	settings.Proved = func(at time.Time) { r.pong.Store(&at) }
	settings.Ended = func(err error) {
		r.err = err
		close(r.lost)
	}
	settings.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := l.NetDial(ctx, network, address)
		if err == nil {
			r.local = conn.LocalAddr()
			context.AfterFunc(abort, func() { conn.Close() })
		}
		return conn, err
	}
	if !credentials {
		settings.Header = nil
	}
	var err error
	r.Client, err = client.Dial(ctx, url, func(s *connect.Settings) { *s = settings })
	return r, err
}

// proof returns when the registry was there, at least, and whether it answers pings.
func (r *registry) proof() (at time.Time, answers bool) {
	if pong := r.pong.Load(); pong != nil {
		return *pong, true
	}
	return r.begun, false
}

// isRegistry reports whether the hub hosts a registry; true also where it refuses
// to say.
func (r *registry) isRegistry(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := r.Schema(ctx, "registry")
	return err == nil || !unknownMethod(err) && refused(err)
}

// unknownMethod reports whether a hub has no such method.
func unknownMethod(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && (e.ErrorCode() == plugin.CodeMethodNotFound ||
		strings.HasPrefix(e.Message, "Method not found") || strings.HasPrefix(e.Message, "Activation not found"))
}
