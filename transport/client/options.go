// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"crypto/tls"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/plexus-go/plexus/internal/connect"
	"github.com/plexus-go/plexus/plugin"
)

// Option sets what [Dial] and [Info] leave at its default. A limit, bound or
// time that is not above zero leaves it there.
type Option func(*connect.Settings)

func newSettings(options []Option) *connect.Settings {
	s := connect.Defaults()
	for _, option := range options {
		option(s)
	}
	return s
}

func set[T int | int64 | time.Duration](field *T, value T) {
	if value > 0 {
		*field = value
	}
}

// WithTLS sets how wss connections are made; nil is the default, which trusts
// what the system trusts. A configuration with a ClientSessionCache makes
// frequent connections to the same hubs cheaper. It must not be changed later.
func WithTLS(config *tls.Config) Option { return func(s *connect.Settings) { s.TLS = config } }

// WithHeader adds a header to the upgrade request. It may be given many times.
func WithHeader(name, value string) Option {
	return func(s *connect.Settings) {
		if s.Header == nil {
			s.Header = http.Header{}
		}
		s.Header.Add(name, value)
	}
}

// WithToken sends "Authorization: Bearer token". Over ws it is not encrypted.
func WithToken(token string) Option {
	return func(s *connect.Settings) {
		WithHeader("Authorization", "")(s)
		s.Header.Set("Authorization", "Bearer "+token)
	}
}

// WithCookie adds a cookie to the upgrade request: other hubs read their
// token from the cookie access_token.
func WithCookie(name, value string) Option {
	return func(s *connect.Settings) {
		cookie := (&http.Cookie{Name: name, Value: value}).String()
		if cookie == "" { // no cookie can have that name
			return
		}
		if earlier := s.Header.Get("Cookie"); earlier != "" {
			cookie = earlier + "; " + cookie
		}
		WithHeader("Cookie", "")(s)
		s.Header.Set("Cookie", cookie)
	}
}

// WithProxy sets a function that returns the proxy, http or socks5, of each
// connection. Nil, as a function or as a result, means none. The default is
// http.ProxyFromEnvironment.
func WithProxy(proxy func(*http.Request) (*url.URL, error)) Option {
	return func(s *connect.Settings) { s.Proxy = proxy }
}

// WithNetDial sets what connects to an address, in place of a net.Dialer.
func WithNetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) Option {
	return func(s *connect.Settings) {
		if dial != nil {
			s.NetDial = dial
		}
	}
}

// WithMessageLimit bounds the messages that are read; the default is 10 MiB.
// A call that is answered with a longer one fails with ErrTooLarge.
func WithMessageLimit(bytes int64) Option {
	return func(s *connect.Settings) { set(&s.MaxMessageBytes, min(bytes, math.MaxInt64-1)) }
}

// WithDialTimeout bounds every attempt of a Client to connect and to learn the
// hub's name; the default is 10 seconds. It has no effect on [Info].
func WithDialTimeout(d time.Duration) Option {
	return func(s *connect.Settings) { set(&s.DialTimeout, d) }
}

// WithAnswers sets what answers the questions that methods ask while they run,
// with a value as the kinds of questions say, or with nil to cancel. It is
// called by the goroutine that ranges over the call, with the call's context,
// which ends when the question's time is up. An error cancels, and ends the
// range with it. Without this option, every question is cancelled.
func WithAnswers(answer func(ctx context.Context, q Question) (any, error)) Option {
	return func(s *connect.Settings) {
		s.Answer = func(ctx context.Context, method string, i *plugin.Item) ([]byte, error) {
			q := questionOf(method, i)
			value, err := answer(ctx, q)
			if err != nil {
				return nil, err
			}
			return answerTo(q.Kind, value)
		}
	}
}

// WithQueue bounds what waits for a range that takes its items slowly: so many
// items, and bytes of them; the defaults are 4,096 and 16 MiB.
//
// While a call's queue is full, the connection is not read, which slows down
// the hub, but also the other calls. So that lasts only as long as the range
// takes an item every now and then: when it has taken none for the time wait, 2
// seconds by default, its call fails with ErrSlow, and the others go on. While
// there are other calls, it may hold them up for wait in all, until its queue
// is empty again. A hub closes the connection of a client that does not read at
// all (ours after 5 seconds), so wait should be less.
//
// A range whose body makes calls of its own through the same Client waits for
// what its own full queue holds up: use a second Client where more items come
// than the queue takes.
func WithQueue(items, bytes int, wait time.Duration) Option {
	return func(s *connect.Settings) {
		set(&s.QueueItems, items)
		set(&s.QueueBytes, bytes)
		set(&s.QueueWait, wait)
	}
}

// WithKeepAlive sets after how much silence the hub is pinged, 30 seconds by
// default, and after how much the connection is lost, 70 seconds. While a call
// waits, the hub is pinged after a second.
func WithKeepAlive(ping, dead time.Duration) Option {
	return func(s *connect.Settings) {
		set(&s.Ping, ping)
		set(&s.Dead, dead)
	}
}

// WithBackoff sets how long a Client waits before it connects again: shortest at
// first, 100 milliseconds by default, twice as long after every failure, up to
// longest, 30 seconds. Each wait is shortened at random by up to a half.
func WithBackoff(shortest, longest time.Duration) Option {
	return func(s *connect.Settings) {
		set(&s.MinWait, shortest)
		set(&s.MaxWait, longest)
		s.MaxWait = max(s.MaxWait, s.MinWait)
	}
}

// WithoutReconnect makes a lost connection the end of the Client: calls under
// way and all later ones fail with ErrLost.
func WithoutReconnect() Option { return func(s *connect.Settings) { s.Reconnect = false } }
