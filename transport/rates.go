// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// mostRates is how many addresses are kept: whoever has as many addresses as
// that is not held up by a bound for each.
const mostRates = 10_000

// rates bounds how often each address asks.
type rates struct {
	limit rate.Limit // zero: no bound
	burst int

	mu      sync.Mutex
	entries map[netip.Addr]*list.Element
	order   list.List // of *rated, the least recently used first
}

type rated struct {
	address netip.Addr
	limiter *rate.Limiter
}

// newRates makes a table for a rate and a burst; where one of them is zero it
// bounds nothing.
func newRates(limit float64, burst int) *rates {
	if burst == 0 {
		limit = 0
	}
	return &rates{limit: rate.Limit(limit), burst: burst, entries: map[netip.Addr]*list.Element{}}
}

// allow tells whether the address may ask now, which counts. This machine, the
// address that is not valid, may ask as often as it likes.
func (r *rates) allow(address netip.Addr) bool {
	return r.limit == 0 || !address.IsValid() || r.of(address).Allow()
}

// charge counts a failure. The address may go into debt by that, and pays it
// off with time.
func (r *rates) charge(address netip.Addr) {
	if r.limit != 0 && address.IsValid() {
		r.of(address).ReserveN(time.Now(), min(failureCost, r.burst))
	}
}

func (r *rates) of(address netip.Addr) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, known := r.entries[address]; known {
		r.order.MoveToBack(at)
		return at.Value.(*rated).limiter
	}
	if len(r.entries) >= mostRates {
		oldest := r.order.Front()
		r.order.Remove(oldest)
		delete(r.entries, oldest.Value.(*rated).address)
	}
	limiter := rate.NewLimiter(r.limit, r.burst)
	r.entries[address] = r.order.PushBack(&rated{address, limiter})
	return limiter
}
