// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxRateAddresses is how many addresses are remembered for sure; twice as
	// many may be. A client with more is not held back by a limit per address.
	maxRateAddresses = 10_000
	// failureCost is how many requests one with wrong credentials counts as.
	failureCost = 20
)

// rateLimiter limits the requests of each address.
type rateLimiter struct {
	limit rate.Limit
	burst int

	mu sync.Mutex
	// Once recent is full, it becomes former, and what former has is forgotten.
	recent, former map[netip.Addr]*rate.Limiter
}

func newRateLimiter(limit float64, burst int) *rateLimiter {
	return &rateLimiter{limit: rate.Limit(limit), burst: burst, recent: map[netip.Addr]*rate.Limiter{}}
}

// allow counts a request, and reports whether it is within the limit. This
// machine, the address that is not valid, has no limit.
func (l *rateLimiter) allow(address netip.Addr) bool {
	return !address.IsValid() || l.of(address).Allow()
}

// charge counts a failure. The address may go into debt by that, and pays it
// off with time.
func (l *rateLimiter) charge(address netip.Addr) {
	if address.IsValid() {
		l.of(address).ReserveN(time.Now(), min(failureCost, l.burst))
	}
}

func (l *rateLimiter) of(address netip.Addr) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limiter := l.recent[address]; limiter != nil {
		return limiter
	}
	limiter := l.former[address]
	if limiter == nil {
		limiter = rate.NewLimiter(l.limit, l.burst)
	}
	if len(l.recent) >= maxRateAddresses {
		l.recent, l.former = map[netip.Addr]*rate.Limiter{}, l.recent
	}
	l.recent[address] = limiter
	return limiter
}
