// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"cmp"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		r := newRateLimiter(10, 30)
		// allowed is how many requests are allowed at once.
		allowed := func(address netip.Addr) (n int) {
			for r.allow(address) {
				n++
			}
			return n
		}
		if n := allowed(a); n != 30 {
			t.Errorf("%d at first, want the burst", n)
		}
		if n := allowed(b); n != 30 {
			t.Errorf("%d of another address, want the burst", n)
		}
		time.Sleep(time.Second)
		if n := allowed(a); n != 10 {
			t.Errorf("%d a second later, want 10", n)
		}
		r.charge(a)
		time.Sleep(2 * time.Second)
		if n := allowed(a); n != 0 {
			t.Errorf("%d after a failure, want none", n)
		}
		time.Sleep(time.Second)
		if n := allowed(a); n != 10 {
			t.Errorf("%d when the failure is paid off, want 10", n)
		}
		time.Sleep(time.Hour)
		if n := allowed(a); n != 30 {
			t.Errorf("%d much later, want the burst", n)
		}
	})
}

func TestDefaultsOfTheRequestRate(t *testing.T) {
	for rate, want := range map[float64]int{0: 1_000, 7: 70, 0.01: 1, -1: 1} {
		limits := DefaultLimits()
		limits.MaxRequestRate = cmp.Or(rate, limits.MaxRequestRate)
		if got := limits.withDefaults().MaxRequestBurst; got != want {
			t.Errorf("rate %v: got the burst %d, want that of 10 seconds, %d", rate, got, want)
		}
	}
	address := netip.MustParseAddr("192.0.2.1")
	for _, limits := range []Limits{{MaxRequestRate: -1}, {MaxRequestBurst: -1}} {
		limits = limits.withDefaults()
		r := newRateLimiter(limits.MaxRequestRate, limits.MaxRequestBurst)
		for range 5_000 {
			r.charge(address)
			if !r.allow(address) {
				t.Fatalf("a negative value is a limit: %+v", limits)
			}
		}
	}
}

func TestRememberedAddressesAreBounded(t *testing.T) {
	r := newRateLimiter(1e-9, 1)
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}) }
	r.allow(address(0))
	const last = 5 * maxRateAddresses / 2
	for n := 1; n <= last; n++ {
		if !r.allow(address(n)) {
			t.Fatalf("the first request of %v is refused", address(n))
		}
		if r.allow(address(0)) {
			t.Fatal("an address in use was forgotten")
		}
		if len(r.recent)+len(r.former) > 2*maxRateAddresses {
			t.Fatalf("%d and %d addresses are kept", len(r.recent), len(r.former))
		}
	}
	for n := last; n > last-maxRateAddresses+1; n-- {
		if r.allow(address(n)) {
			t.Fatalf("%v was forgotten, %d later", address(n), last-n)
		}
	}
	if !r.allow(address(1)) {
		t.Error("the oldest one is kept")
	}
}
