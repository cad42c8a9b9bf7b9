// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"

	gorilla "github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/plexus-go/plexus/plugin"
)

// accessControl decides which requests reach the WebSocket server. It checks the
// rate and the number of connections of the client's address, then Host, Origin
// and credentials. A request that passes goes on with its caller in its context;
// any other is answered, and its connection closed.
type accessControl struct {
	next http.Handler
	log  *slog.Logger

	limits       Limits
	hosts        map[string]bool // empty: none were given
	origins      map[origin]bool
	proxies      []netip.Prefix
	authenticate Authenticate   // nil: no authentication
	anonymous    *plugin.Caller // nil: not accepted where authenticate is set

	local       bool // the listener is on loopback
	rates       *rateLimiter
	connections *connectionLimiter
	logged      [reasons]*rate.Limiter
}

// init completes the access control when its options are set.
func (a *accessControl) init(next http.Handler, log *slog.Logger) {
	a.next, a.log = next, log
	a.limits = a.limits.withDefaults()
	a.rates = newRateLimiter(a.limits.MaxRequestRate, a.limits.MaxRequestBurst)
	a.connections = newConnectionLimiter(a.limits, a.proxies)
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

// reason is why a request or a connection is refused.
type reason int

const (
	none reason = iota // it is not
	malformed
	wrongHost
	wrongOrigin
	wrongCredentials
	overRate
	overAddress
	overLimit
	late
	reasons // how many there are
)

// answers are what clients are answered, and how logs name the reason.
var answers = [reasons]struct {
	name       string
	status     int
	text       string
	retryAfter string // seconds
}{
	malformed:        {"malformed", http.StatusBadRequest, "The request has more than one Origin.", ""},
	wrongHost:        {"host", http.StatusMisdirectedRequest, "This hub does not answer to the host name of this request. Its operator can allow the name.", ""},
	wrongOrigin:      {"origin", http.StatusForbidden, "Pages of this origin may not connect to this hub. Its operator can allow the origin.", ""},
	wrongCredentials: {"credentials", http.StatusUnauthorized, "The credentials are not valid.", ""},
	overRate:         {"rate", http.StatusTooManyRequests, "Too many requests from this address.", "1"},
	overAddress:      {"address", http.StatusTooManyRequests, "Too many connections from this address.", "10"},
	overLimit:        {"limit", http.StatusServiceUnavailable, "Too many connections to this hub.", "10"},
	late:             {"late", http.StatusServiceUnavailable, "The request came too late.", "10"},
}

// refusal is why a request is rejected.
type refusal struct {
	reason reason
	cause  error  // for the log
	text   string // for the client, if not that of the reason
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
	if a.authenticate != nil && (caller.Name != "" || caller.Means != "") {
		connOf(r).recheck = a.recheck(r, caller)
	}
	a.next.ServeHTTP(w, r.WithContext(ctx))
}

// admit returns the caller of a request, or why it is rejected. The connection
// of an upgrade counts as open from then on.
func (a *accessControl) admit(r *http.Request, from source) (plugin.Caller, *refusal) {
	if !a.rates.allow(from.limited) {
		return plugin.Caller{}, &refusal{reason: overRate}
	}
	if why := a.connections.full(from.limited); why != none {
		return plugin.Caller{}, &refusal{reason: why}
	}
	if !a.allowsHost(r.Host, from.proxied) {
		return plugin.Caller{}, a.misdirected(r.Host, from.proxied)
	}
	switch origins := r.Header["Origin"]; {
	case len(origins) > 1:
		return plugin.Caller{}, &refusal{reason: malformed}
	case len(origins) == 1 && !a.allowsOrigin(origins[0], from.proxied):
		return plugin.Caller{}, &refusal{reason: wrongOrigin, cause: fmt.Errorf("origin %.100q", origins[0])}
	}
	caller, refused := a.callerOf(r, from)
	// The WebSocket server answers a request that is no upgrade; its connection
	// stays pending.
	if refused != nil || !gorilla.IsWebSocketUpgrade(r) {
		return caller, refused
	}
	if why := a.connections.open(connOf(r), from.limited); why != none {
		return plugin.Caller{}, &refusal{reason: why}
	}
	return caller, nil
}

func (a *accessControl) misdirected(host string, proxied bool) *refusal {
	why := &refusal{reason: wrongHost, cause: fmt.Errorf("host %.100q", host)}
	switch {
	case a.local && proxied:
		why.text = "Behind a proxy, this hub answers only to host names that its operator has allowed. " +
			"The proxy must pass on the Host of the request."
	case a.local:
		why.text = "This hub answers to localhost, loopback addresses, and host names that its operator has allowed."
	}
	return why
}

// refuse answers a request that is rejected.
func (a *accessControl) refuse(w http.ResponseWriter, r *http.Request, from source, why *refusal) {
	answer := answers[why.reason]
	text := cmp.Or(why.text, answer.text)
	a.connections.refused[why.reason].Add(1)
	if a.logged[why.reason].Allow() { // clients without access must not fill the disk
		a.log.Warn("a request was refused", "reason", answer.name, "remote", from.remote,
			"peer", r.RemoteAddr, "text", text, "error", why.cause)
	}
	if why.reason == wrongCredentials {
		challenge := `Bearer realm="plexus"`
		if why.cause != nil {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if answer.retryAfter != "" {
		w.Header().Set("Retry-After", answer.retryAfter)
	}
	http.Error(w, text, answer.status)
}
