// SPDX-License-Identifier: AGPL-3.0-only

package wire_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/plexus-go/plexus/internal/wire"
)

// draw takes n ids and checks their bounds.
func draw(t *testing.T, s *wire.Subscriptions, n int) []int64 {
	t.Helper()
	ids := make([]int64, n)
	for i := range ids {
		if ids[i] = s.Next(); ids[i] <= 0 || ids[i] >= 1<<53 {
			t.Fatalf("%d is not above 0 and below 2^53", ids[i])
		}
	}
	return ids
}

func checkDistinct(t *testing.T, ids []int64) {
	t.Helper()
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			t.Fatalf("%d was given out twice", ids[i])
		}
	}
}

// TestSubscriptionIdsDoNotRepeat draws as fast as it can, then makes new ones
// as after a restart: had the ids run ahead of the clock, they would meet.
func TestSubscriptionIdsDoNotRepeat(t *testing.T) {
	ids := draw(t, wire.NewSubscriptions("registry-hub"), 1_000_000)
	for range 10 {
		ids = append(ids, draw(t, wire.NewSubscriptions("registry-hub"), 1000)...)
	}
	checkDistinct(t, ids)
}

// TestSubscriptionIdsDoNotRepeatAmongHubs draws in the same microseconds, from
// several goroutines.
func TestSubscriptionIdsDoNotRepeatAmongHubs(t *testing.T) {
	hubs := []*wire.Subscriptions{wire.NewSubscriptions("a"), wire.NewSubscriptions("b")}
	var drawn [8][]int64
	var workers sync.WaitGroup
	for i := range drawn {
		workers.Go(func() { drawn[i] = draw(t, hubs[i%2], 5000) })
	}
	workers.Wait()
	checkDistinct(t, slices.Concat(drawn[:]...))
}

// TestSubscriptionIdsDoNotWaitForTheClock draws while the clock stands still, as it
// does in a bubble of synctest as long as anything runs.
func TestSubscriptionIdsDoNotWaitForTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checkDistinct(t, draw(t, wire.NewSubscriptions("registry-hub"), 10_000))
	})
}

func TestSubscriptionIdsHaveNoVisibleOrder(t *testing.T) {
	ids := draw(t, wire.NewSubscriptions("registry-hub"), 10_000)
	rising, steps := 0, map[int64]int{}
	for i := 1; i < len(ids); i++ {
		if ids[i] > ids[i-1] {
			rising++
		}
		steps[ids[i]-ids[i-1]]++
	}
	if rising < 4000 || rising > 6000 {
		t.Errorf("%d of 9999 are above the one before", rising)
	}
	for step, n := range steps {
		if n > 10 {
			t.Errorf("%d times the step to the next is %d", n, step)
		}
	}
}

func TestParseSubscription(t *testing.T) {
	for params, want := range map[string]int64{
		`[5]`: 5, `5`: 5, `["5"]`: 5, `"5"`: 5, ` [ 5 ] `: 5, ` 5 `: 5, `[9007199254740991]`: 1<<53 - 1, `[0]`: 0, `[-1]`: -1,
	} {
		if id := wire.ParseSubscription([]byte(params)); id != want {
			t.Errorf("%s: %d", params, id)
		}
	}
	for _, params := range []string{
		``, `null`, `[]`, `[ ]`, `{}`, `{"subscription":5}`, `[5,6]`, `[[5]]`, `[null]`, `[1.5]`, `[1e3]`, `[5.0]`, `""`, `"x"`, `["5 "]`,
		`true`, `[18446744073709551616]`, `["\u0035"]`, `[`, `"`,
	} {
		if id := wire.ParseSubscription([]byte(params)); id != 0 {
			t.Errorf("%s: %d", params, id)
		}
	}
}
