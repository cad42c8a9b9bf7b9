// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"cmp"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// Option sets what New leaves at its default.
type Option func(*Registry)

// WithLogger sets where the registry logs; the default is slog.Default.
func WithLogger(log *slog.Logger) Option { return func(r *Registry) { r.log = log } }

// WithVersion sets the version of the program for status; the default is "(devel)".
func WithVersion(version string) Option { return func(r *Registry) { r.version = version } }

// WithRegistrations bounds how many active entries one caller may have registered; the
// default, also where it is 0, is DefaultRegistrations. A negative number is no
// limit.
func WithRegistrations(n int) Option {
	if n < 0 {
		n = math.MaxInt
	}
	return func(r *Registry) { r.quota.max = cmp.Or(n, DefaultRegistrations) }
}

// WithForgetAfter sets how long an entry is kept that is inactive and was not heard
// of; the default, also where it is 0, is DefaultForgetAfter. With a negative time
// it is kept for ever.
func WithForgetAfter(d time.Duration) Option {
	return func(r *Registry) { r.forgetAfter = cmp.Or(d, DefaultForgetAfter) }
}

// WithNameBytes bounds the names that are registered more closely than
// storage.MaxNameBytes does, which is the default, also where it is 0. A negative
// number is no limit but that.
func WithNameBytes(n int) Option {
	return func(r *Registry) { r.nameBytes = cmp.Or(max(n, 0), storage.MaxNameBytes) }
}

// WithWarnings adds what status warns of: the function returns what is wrong at
// the moment, each in a text of one line. It may be called at any time.
func WithWarnings(warnings func() []string) Option {
	return func(r *Registry) { r.warnings = append(r.warnings, warnings) }
}

// WithCounters adds what status counts: the function returns, by their names,
// what has happened so far.
func WithCounters(counters func() map[string]int64) Option {
	return func(r *Registry) { r.counters = counters }
}

// WithSource adds a source of backends. It is loaded by New, after each of its
// changes, and at each reload.
func WithSource(s Source) Option {
	return func(r *Registry) { r.feeds.add(&feed{source: s.Source(), from: s}) }
}

// WithHealth has every backend probed. Without it, their health is unknown.
func WithHealth(h Health) Option {
	return func(r *Registry) { r.health = h }
}

// WithDiscovery asks for hubs at these addresses, at the start and in every
// round of health, and registers each under the name that it answers.
func WithDiscovery(addresses ...Address) Option {
	return func(r *Registry) { r.discovery.addresses = append(r.discovery.addresses, addresses...) }
}

// WithSelf registers the hub that hosts the registry, under its name and its
// address, which transport.LocalAddress makes of its listener's. Where that listens
// on all interfaces, and clients are on other machines, give the one they reach.
func WithSelf(name string, address netip.AddrPort) Option {
	return func(r *Registry) {
		self := Address{Host: address.Addr().String(), Port: int(address.Port()), Protocol: "ws"}.backend(name)
		if err := self.Validate(); err != nil { // it may be on no TCP address, or on all
			r.log.Warn("this hub can't be registered", "name", name, "error", err)
			return
		}
		r.discovery.self = append(r.discovery.self, self)
	}
}
