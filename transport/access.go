// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	gorilla "github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/websocket"
)

// accessControl decides which requests reach the WebSocket server. It checks the
// rate and the number of connections of the client's address, then Host, Origin
// and credentials. A request that passes goes on with its caller in its context;
// any other is answered, and its connection closed.
type accessControl struct {
	next http.Handler
	log  *slog.Logger

	limits       Limits
	hosts        map[string]bool // nil: none were given
	origins      map[string]bool
	proxies      []netip.Prefix
	authenticate Authenticate   // nil: no authentication
	anonymous    *plugin.Caller // nil: not accepted where authenticate is set

	local       bool // the listener is on loopback
	rates       *rateLimiter
	connections *connectionLimiter
	counters    counters
	logged      [reasons]*rate.Limiter
}

// init completes the access control when its options are set.
func (a *accessControl) init(next http.Handler, log *slog.Logger) {
	a.next, a.log = next, log
	a.limits = a.limits.withDefaults()
	a.rates = newRateLimiter(a.limits.MaxRequestRate, a.limits.MaxRequestBurst)
	a.connections = newConnectionLimiter(a.limits, &a.counters, func(from netip.Addr) bool { return within(from, a.proxies) })
	for i := range a.logged {
		a.logged[i] = rate.NewLimiter(2, 10)
	}
}

// source is where a request comes from.
type source struct {
	remote  string     // for logs and callers
	limited netip.Addr // for limits; not valid: this machine, which has none by address
	proxied bool       // a trusted proxy has passed it on
}

func (a *accessControl) sourceOf(r *http.Request) source {
	peer := addressOf(r.RemoteAddr)
	from := source{remote: r.RemoteAddr}
	if !a.local && !peer.IsLoopback() {
		from.limited = networkOf(peer)
	}
	if values := r.Header["X-Forwarded-For"]; len(values) > 0 && within(peer, a.proxies) {
		client := forwardedFor(peer, values, a.proxies)
		from = source{remote: client.String(), limited: networkOf(client), proxied: true}
	}
	if from.remote == "" {
		// A caller without an address would be one from within the program.
		from.remote = "unknown"
	}
	return from
}

// refusal is why a request is rejected.
type refusal struct {
	reason reason
	text   string // for the client
	cause  error  // for the log
}

func (a *accessControl) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// One request per connection, so that limits of connections limit requests.
	// An upgrade ignores it.
	w.Header().Set("Connection", "close")
	from := a.sourceOf(r)
	caller, refused := a.admit(r, from)
	if refused != nil {
		a.refuse(w, r, from, refused)
		return
	}
	ctx := plugin.WithCaller(r.Context(), caller)
	if a.authenticate != nil && caller.Means != "" {
		ctx = websocket.WithRecheck(ctx, a.recheck(r, caller))
	}
	a.next.ServeHTTP(w, r.WithContext(ctx))
}

// admit returns the caller of a request, or why it is rejected. The connection
// of an upgrade counts as open from then on.
func (a *accessControl) admit(r *http.Request, from source) (plugin.Caller, *refusal) {
	if !a.rates.allow(from.limited) {
		return plugin.Caller{}, &refusal{overRate, "Too many requests from this address.", nil}
	}
	if why, full := a.connections.full(from.limited); full {
		return plugin.Caller{}, tooManyConnections(why)
	}
	if !a.allowsHost(r.Host, from.proxied) {
		return plugin.Caller{}, a.misdirected(r.Host, from.proxied)
	}
	if origins := r.Header["Origin"]; len(origins) > 1 {
		return plugin.Caller{}, &refusal{malformed, "The request has more than one Origin.", nil}
	} else if len(origins) == 1 && !a.allowsOrigin(origins[0], from.proxied) {
		return plugin.Caller{}, &refusal{wrongOrigin,
			"Pages of this origin may not connect to this hub. Its operator can allow the origin.",
			fmt.Errorf("origin %.100q", origins[0])}
	}
	caller, refused := a.callerOf(r, from)
	// The WebSocket server answers a request that is no upgrade; its connection
	// stays pending.
	if refused != nil || !gorilla.IsWebSocketUpgrade(r) {
		return caller, refused
	}
	if why, ok := a.connections.open(connOf(r), from.limited); !ok {
		return plugin.Caller{}, tooManyConnections(why)
	}
	a.counters.accepted.Add(1)
	return caller, nil
}

func tooManyConnections(why reason) *refusal {
	if why == overAddress {
		return &refusal{why, "Too many connections from this address.", nil}
	}
	return &refusal{why, "Too many connections to this hub.", nil}
}

func (a *accessControl) misdirected(host string, proxied bool) *refusal {
	text := "This hub does not answer to the host name of this request. Its operator can allow the name."
	switch {
	case a.local && proxied:
		text = "Behind a proxy, this hub answers only to host names that its operator has allowed. " +
			"The proxy must pass on the Host of the request."
	case a.local:
		text = "This hub answers to localhost, loopback addresses, and host names that its operator has allowed."
	}
	return &refusal{wrongHost, text, fmt.Errorf("host %.100q", host)}
}

// refuse answers a request that is rejected.
func (a *accessControl) refuse(w http.ResponseWriter, r *http.Request, from source, why *refusal) {
	a.counters.refused[why.reason].Add(1)
	if a.logged[why.reason].Allow() { // clients without access must not fill the disk
		a.log.Warn("a request was refused", "reason", why.reason.String(), "remote", from.remote,
			"peer", r.RemoteAddr, "text", why.text, "error", why.cause)
	}
	switch why.reason {
	case wrongCredentials:
		challenge := []string{`Bearer realm="plexus"`}
		if why.cause != nil {
			challenge = append(challenge, `error="invalid_token"`)
		}
		w.Header().Set("WWW-Authenticate", strings.Join(challenge, ", "))
	case overRate:
		w.Header().Set("Retry-After", "1")
	case overAddress, overLimit, late:
		w.Header().Set("Retry-After", "10")
	}
	http.Error(w, why.text, why.reason.status())
}

type connKey struct{}

// withConn puts the connection of a request into its context.
func withConn(ctx context.Context, c net.Conn) context.Context {
	for {
		if ours, ok := c.(*conn); ok {
			return context.WithValue(ctx, connKey{}, ours)
		}
		// Under TLS.
		c = c.(interface{ NetConn() net.Conn }).NetConn()
	}
}

func connOf(r *http.Request) *conn { return r.Context().Value(connKey{}).(*conn) }
