// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxRateAddresses is how many addresses are remembered. A client with more
	// addresses than that is not held back by a limit per address.
	maxRateAddresses = 10_000
	// failureCost is how many requests one with wrong credentials counts as.
	failureCost = 20
)

// rateLimiter limits the requests of each address.
type rateLimiter struct {
	limit rate.Limit // zero: no limit
	burst int

	mu      sync.Mutex
	entries map[netip.Addr]*list.Element
	order   list.List // of *addressRate, the least recently used first
}

type addressRate struct {
	address netip.Addr
	limiter *rate.Limiter
}

// newRateLimiter makes a rate limiter; where limit or burst is zero, it limits
// nothing.
func newRateLimiter(limit float64, burst int) *rateLimiter {
	if burst == 0 {
		limit = 0
	}
	return &rateLimiter{limit: rate.Limit(limit), burst: burst, entries: map[netip.Addr]*list.Element{}}
}

// allow counts a request, and reports whether it is within the limit. This
// machine, the address that is not valid, has no limit.
func (l *rateLimiter) allow(address netip.Addr) bool {
	return l.limit == 0 || !address.IsValid() || l.of(address).Allow()
}

// charge counts a failure. The address may go into debt by that, and pays it
// off with time.
func (l *rateLimiter) charge(address netip.Addr) {
	if l.limit != 0 && address.IsValid() {
		l.of(address).ReserveN(time.Now(), min(failureCost, l.burst))
	}
}

func (l *rateLimiter) of(address netip.Addr) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, known := l.entries[address]; known {
		l.order.MoveToBack(at)
		return at.Value.(*addressRate).limiter
	}
	if len(l.entries) >= maxRateAddresses {
		oldest := l.order.Remove(l.order.Front()).(*addressRate)
		delete(l.entries, oldest.address)
	}
	limiter := rate.NewLimiter(l.limit, l.burst)
	l.entries[address] = l.order.PushBack(&addressRate{address, limiter})
	return limiter
}
