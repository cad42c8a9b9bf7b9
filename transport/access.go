// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"

	gorilla "github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/plexus-go/plexus/internal/address"
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
	origins      map[address.Origin]bool
	proxies      []netip.Prefix
	authenticate Authenticate   // nil: no authentication
	anonymous    *plugin.Caller // nil: not accepted where authenticate is set
	insecure     bool           // other machines are served whatever is missing

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
	proxied string     // the header by which a proxy shows that it has passed it on; empty for none
	trusted bool       // that proxy is a trusted one
}

func (a *accessControl) sourceOf(r *http.Request) source {
	peer := addressOf(r.RemoteAddr)
	from := source{remote: r.RemoteAddr, proxied: proxyHeader(r.Header)}
	switch {
	case from.proxied == "" && !a.local && !peer.IsLoopback():
		from.limited = networkOf(peer)
	case from.proxied != "" && within(peer, a.proxies):
		client := forwardedFor(peer, r.Header["X-Forwarded-For"], a.proxies)
		from.remote, from.limited, from.trusted = client.String(), networkOf(client), true
	case from.proxied != "" && peer.IsValid():
		from.limited = networkOf(peer)
	case from.proxied != "": // by a Unix socket
		from.limited = netip.IPv6Loopback()
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
	wrongHostLocal
	wrongHostProxied
	wrongOrigin
	otherProxy
	noCredentials
	wrongCredentials
	overRate
	overAddress
	overLimit
	late
	reasons // how many there are
)

// answers are what clients are answered, and how logs and counters name the reason.
var answers = [reasons]struct {
	name       string
	status     int
	text       string
	retryAfter string // seconds
}{
	malformed: {"malformed", http.StatusBadRequest, "The request has more than one Origin.", ""},
	wrongHost: {"host", http.StatusMisdirectedRequest,
		"This hub does not answer to the host name of this request. Its operator can allow the name.", ""},
	wrongHostLocal: {"host", http.StatusMisdirectedRequest,
		"This hub answers to localhost, loopback addresses, and host names that its operator has allowed.", ""},
	wrongHostProxied: {"host", http.StatusMisdirectedRequest, "Behind a proxy, this hub answers only to host names that " +
		"its operator has allowed. The proxy must pass on the Host of the request.", ""},
	wrongOrigin: {"origin", http.StatusForbidden,
		"Pages of this origin may not connect to this hub. Its operator can allow the origin.", ""},
	otherProxy: {"credentials", http.StatusForbidden, "A proxy that this hub does not trust has passed this request on, " +
		"and no credentials are asked for. Its operator can allow that.", ""},
	noCredentials:    {"credentials", http.StatusUnauthorized, "Credentials are needed.", ""},
	wrongCredentials: {"credentials", http.StatusUnauthorized, "The credentials are not valid.", ""},
	overRate:         {"rate", http.StatusTooManyRequests, "Too many requests from this address.", "1"},
	overAddress:      {"address", http.StatusTooManyRequests, "Too many connections from this address.", "10"},
	overLimit:        {"limit", http.StatusServiceUnavailable, "Too many connections to this hub.", "10"},
	late:             {"late", http.StatusServiceUnavailable, "The request came too late.", "10"},
}

func (a *accessControl) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// One request per connection, so that limits of connections limit requests.
	// An upgrade ignores it.
	w.Header().Set("Connection", "close")
	from := a.sourceOf(r)
	caller, why, cause := a.admit(r, from)
	if why == none {
		a.next.ServeHTTP(w, r.WithContext(plugin.WithCaller(r.Context(), caller)))
		return
	}
	answer := answers[why]
	a.connections.refused[why].Add(1)
	if a.logged[why].Allow() { // clients without access must not fill the disk
		a.log.Warn("a request was refused", "reason", answer.name, "remote", from.remote,
			"peer", r.RemoteAddr, "text", answer.text, "error", cause)
	}
	switch why {
	case noCredentials:
		w.Header().Set("WWW-Authenticate", `Bearer realm="plexus"`)
	case wrongCredentials:
		w.Header().Set("WWW-Authenticate", `Bearer realm="plexus", error="invalid_token"`)
	}
	if answer.retryAfter != "" {
		w.Header().Set("Retry-After", answer.retryAfter)
	}
	http.Error(w, answer.text, answer.status)
}

// admit returns the caller of a request, or why it is rejected, with the cause for
// the log. The connection of an upgrade counts as open from then on.
func (a *accessControl) admit(r *http.Request, from source) (caller plugin.Caller, why reason, cause error) {
	if !a.rates.allow(from.limited) {
		return caller, overRate, nil
	}
	if why := a.connections.full(from.limited); why != none {
		return caller, why, nil
	}
	if !a.allowsHost(r.Host, from.trusted) {
		why := wrongHost
		switch {
		case a.local && from.trusted:
			why = wrongHostProxied
		case a.local:
			why = wrongHostLocal
		}
		return caller, why, fmt.Errorf("host %.100q", r.Host)
	}
	switch origins := r.Header["Origin"]; {
	case len(origins) > 1:
		return caller, malformed, nil
	case len(origins) == 1 && !a.allowsOrigin(origins[0], from.proxied != ""):
		return caller, wrongOrigin, fmt.Errorf("origin %.100q", origins[0])
	}
	caller, why, cause = a.callerOf(r, from)
	// The WebSocket server answers a request that is no upgrade; its connection
	// stays pending.
	if why == none && gorilla.IsWebSocketUpgrade(r) {
		why = a.connections.open(connOf(r), from.limited)
	}
	return caller, why, cause
}
