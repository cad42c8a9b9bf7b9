// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
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
		// This machine has no limit, not even for failures.
		for range 100 {
			r.charge(netip.Addr{})
			if !r.allow(netip.Addr{}) {
				t.Fatal("this machine is limited")
			}
		}
		time.Sleep(time.Hour)
		if n := allowed(a); n != 30 {
			t.Errorf("%d much later, want the burst", n)
		}
	})
}

func TestTheDefaultBurstIsThatOfTenSeconds(t *testing.T) {
	for rate, want := range map[float64]int{100: 1_000, 7: 70, 0.01: 1, -1: 1} {
		limits := DefaultLimits()
		limits.MaxRequestRate = rate
		if got := limits.withDefaults().MaxRequestBurst; got != want {
			t.Errorf("rate %v: got %d, want %d", rate, got, want)
		}
	}
}

func TestNegativeRatesAreNoLimit(t *testing.T) {
	for _, limits := range []Limits{{MaxRequestRate: -1}, {MaxRequestBurst: -1}} {
		limits = limits.withDefaults()
		r := newRateLimiter(limits.MaxRequestRate, limits.MaxRequestBurst)
		for range 5_000 {
			r.charge(netip.Addr{})
			if !r.allow(netip.Addr{}) {
				t.Fatalf("%+v limits", limits)
			}
		}
		if len(r.entries) != 0 {
			t.Error("addresses are remembered without a limit")
		}
	}
}

func TestRememberedAddressesAreBounded(t *testing.T) {
	r := newRateLimiter(1e-9, 1)
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}) }
	for n := range 2 * maxRateAddresses {
		r.allow(address(0)) // an address in use is not forgotten
		if n > 0 && !r.allow(address(n)) {
			t.Fatalf("the first request of %v is refused", address(n))
		}
	}
	if len(r.entries) != maxRateAddresses || r.order.Len() != maxRateAddresses {
		t.Errorf("%d addresses are kept, %d in order; want %d", len(r.entries), r.order.Len(), maxRateAddresses)
	}
	if r.allow(address(0)) {
		t.Error("an address in use was forgotten")
	}
	if r.allow(address(2*maxRateAddresses - 1)) {
		t.Error("the last one was forgotten")
	}
	if !r.allow(address(1)) {
		t.Error("the oldest one is kept")
	}
}
