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

// door stands before the WebSocket server. Each request passes the limits of
// its address, then its Host, its Origin and its credentials are looked at; it
// goes on with its caller in its context, or is answered and its connection
// closed.
type door struct {
	next http.Handler
	log  *slog.Logger

	limits       DoorLimits
	hosts        map[string]bool // nil: none were given
	origins      map[string]bool
	proxies      []netip.Prefix
	authenticate Authenticate   // nil: nobody is asked
	anonymous    *plugin.Caller // nil: not let in where authenticate is set

	local    bool // only this machine reaches the listener
	rates    *rates
	room     *room
	counters counters
	logged   [reasons]*rate.Limiter
}

// open makes the door ready, when its options are set.
func (d *door) open(next http.Handler, log *slog.Logger) {
	d.next, d.log = next, log
	d.limits = d.limits.bounded()
	d.rates = newRates(d.limits.Rate, d.limits.Burst)
	d.room = newRoom(d.limits, &d.counters, func(a netip.Addr) bool { return within(a, d.proxies) })
	for i := range d.logged {
		d.logged[i] = rate.NewLimiter(2, 10)
	}
}

// source is where a request comes from.
type source struct {
	remote  string     // for people
	counted netip.Addr // for limits; not valid: this machine, which they do not bind
	proxied bool       // a trusted proxy has passed it on
}

func (d *door) sourceOf(r *http.Request) source {
	peer := addressOf(r.RemoteAddr)
	from := source{remote: r.RemoteAddr}
	if !d.local && !peer.IsLoopback() {
		from.counted = counted(peer)
	}
	if values := r.Header["X-Forwarded-For"]; len(values) > 0 && within(peer, d.proxies) {
		client := ForwardedFor(peer, values, d.proxies)
		from = source{remote: client.String(), counted: counted(client), proxied: true}
	}
	if from.remote == "" {
		// A caller without an address would be one from within the program.
		from.remote = "unknown"
	}
	return from
}

// refusal is why a request is not let in.
type refusal struct {
	reason reason
	text   string // for the caller
	cause  error  // for the log
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// One request a connection, so that what bounds connections bounds
	// requests. An upgrade does not heed it.
	w.Header().Set("Connection", "close")
	from := d.sourceOf(r)
	caller, refused := d.admit(r, from)
	if refused != nil {
		d.refuse(w, r, from, refused)
		return
	}
	ctx := plugin.WithCaller(r.Context(), caller)
	if d.authenticate != nil && caller.Means != "" {
		ctx = websocket.WithRecheck(ctx, d.still(r, caller))
	}
	d.next.ServeHTTP(w, r.WithContext(ctx))
}

// admit finds out who makes a request and makes room for the connection, or
// says why not.
func (d *door) admit(r *http.Request, from source) (plugin.Caller, *refusal) {
	if !d.rates.allow(from.counted) {
		return plugin.Caller{}, &refusal{overRate, "Too many requests from this address.", nil}
	}
	if why, full := d.room.full(from.counted); full {
		return plugin.Caller{}, d.noRoom(why)
	}
	if !d.answersTo(r.Host, from.proxied) {
		return plugin.Caller{}, d.misdirected(r.Host, from.proxied)
	}
	if origins := r.Header["Origin"]; len(origins) > 1 {
		return plugin.Caller{}, &refusal{malformed, "The request has more than one Origin.", nil}
	} else if len(origins) == 1 && !d.admitsPage(origins[0], from.proxied) {
		return plugin.Caller{}, &refusal{wrongOrigin,
			"Pages of this origin may not connect to this hub. Its operator can allow the origin.",
			fmt.Errorf("origin %.100q", origins[0])}
	}
	caller, refused := d.callerOf(r, from)
	// What is no upgrade is only told that it should be one.
	if refused != nil || !gorilla.IsWebSocketUpgrade(r) {
		return caller, refused
	}
	if why, ok := d.room.admit(connOf(r), from.counted); !ok {
		return plugin.Caller{}, d.noRoom(why)
	}
	d.counters.accepted.Add(1)
	return caller, nil
}

func (d *door) noRoom(why reason) *refusal {
	if why == overAddress {
		return &refusal{why, "Too many connections from this address.", nil}
	}
	return &refusal{why, "This hub has no room for another connection now.", nil}
}

func (d *door) misdirected(host string, proxied bool) *refusal {
	text := "This hub does not answer to the host name of this request. Its operator can allow the name."
	switch {
	case d.local && proxied:
		text = "This hub answers to host names that its operator has allowed, and behind a proxy to no others. " +
			"The proxy must pass on the Host of the request."
	case d.local:
		text = "This hub answers to localhost, loopback addresses, and host names that its operator has allowed."
	}
	return &refusal{wrongHost, text, fmt.Errorf("host %.100q", host)}
}

// refuse answers a request that is not let in.
func (d *door) refuse(w http.ResponseWriter, r *http.Request, from source, why *refusal) {
	d.counters.refused[why.reason].Add(1)
	if d.logged[why.reason].Allow() { // lest they who stay out fill the disk
		d.log.Warn("a request was refused", "reason", why.reason.String(), "remote", from.remote,
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
