// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"
)

// Options say what to do to which hub. None of the fields has a default,
// unless it says so.
type Options struct {
	URL string // ws or wss
	// Header is sent with every request for an upgrade, credentials for one; nil
	// is none. The bare server of Baseline does not get it.
	Header http.Header
	// TLS is how wss connections are made; nil is the default, which trusts the
	// authorities of the system.
	TLS *tls.Config
	// Operation is one of Operations.
	Operation Operation
	// Connections is from 1 to MaxConnections, InFlight, the operations of
	// each of them at once, from 1 to MaxInFlight.
	Connections, InFlight int
	// Duration is how long each server is under load, up to MaxDuration, Warmup
	// how long before that without being counted; 0 for no warm-up.
	Duration, Warmup time.Duration
	// Backends is how many there are to work on, from 1 to MaxBackends. They
	// are registered before, and removed afterwards. Info needs none.
	Backends int
	// Rate is how many operations are sent a second, over all connections; 0
	// for as many as come through.
	Rate float64
	// Baseline has a bare server measured in turns with the hub.
	Baseline bool
	// Timeout is how long operations may take to end after the last was sent,
	// and how long each step of the preparation may take; 0 means 10 seconds.
	Timeout time.Duration
}

// The most that Options may ask for.
const (
	MaxConnections = 10_000
	MaxInFlight    = 1_000
	MaxBackends    = 1_000_000
	MaxRate        = 1e7
	MaxDuration    = 24 * time.Hour
)

// Check tells what is wrong with the options; nil if nothing is. Run checks
// them too.
func (o *Options) Check() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return errors.New("the URL can't be read") // it may hold what is secret
	case u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "":
		return fmt.Errorf("the URL %.200q does not begin with ws:// or wss:// and a host", shownURL(o.URL))
	case o.Operation.blend() == nil:
		return fmt.Errorf("operation %.64q is not one of %v", o.Operation, Operations())
	case o.Connections < 1 || o.Connections > MaxConnections:
		return fmt.Errorf("%d connections: not from 1 to %d", o.Connections, MaxConnections)
	case o.InFlight < 1 || o.InFlight > MaxInFlight:
		return fmt.Errorf("%d operations in flight: not from 1 to %d", o.InFlight, MaxInFlight)
	case o.Backends < 1 || o.Backends > MaxBackends:
		return fmt.Errorf("%d backends: not from 1 to %d", o.Backends, MaxBackends)
	case o.Duration <= 0 || o.Duration > MaxDuration:
		return fmt.Errorf("duration %v: not above 0, up to %v", o.Duration, MaxDuration)
	case o.Warmup < 0 || o.Warmup > MaxDuration:
		return fmt.Errorf("warm-up %v: not from 0 to %v", o.Warmup, MaxDuration)
	case o.Timeout < 0:
		return fmt.Errorf("timeout %v: below 0", o.Timeout)
	case o.Rate < 0 || o.Rate > MaxRate || math.IsNaN(o.Rate):
		return fmt.Errorf("rate %v: not from 0 to %d a second", o.Rate, int(MaxRate))
	}
	return nil
}
