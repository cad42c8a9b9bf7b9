// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// draw takes n ids and checks their bounds.
func draw(t *testing.T, s *Subscriptions, n int) []int64 {
	t.Helper()
	ids := make([]int64, n)
	for i := range ids {
		if ids[i] = s.Next(); ids[i] <= 0 || ids[i] >= 1<<53 {
			t.Fatalf("%d is not above 0 and below 2^53", ids[i])
		}
	}
	return ids
}

// repeated finds an id that is there twice.
func repeated(ids []int64) (int64, bool) {
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return ids[i], true
		}
	}
	return 0, false
}

// TestSubscriptionIdsDoNotRepeat draws as fast as it can, then makes new ones
// as after a restart: had the ids run ahead of the clock, they would meet.
func TestSubscriptionIdsDoNotRepeat(t *testing.T) {
	ids := draw(t, NewSubscriptions("registry-hub"), 1_000_000)
	for range 10 {
		ids = append(ids, draw(t, NewSubscriptions("registry-hub"), 1000)...)
	}
	if id, ok := repeated(ids); ok {
		t.Errorf("%d was given out twice", id)
	}
}

func TestSubscriptionIdsDoNotRepeatAmongGoroutines(t *testing.T) {
	s := NewSubscriptions("registry-hub")
	var mu sync.Mutex
	var all []int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			ids := draw(t, s, 5000)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, ids...)
		})
	}
	workers.Wait()
	if id, ok := repeated(all); ok || len(all) != 40000 {
		t.Errorf("%d was given out twice; %d ids", id, len(all))
	}
}

func TestSubscriptionIdsHaveNoVisibleOrder(t *testing.T) {
	ids := draw(t, NewSubscriptions("registry-hub"), 10_000)
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

func TestHubsOfDifferentNamesHaveDifferentIds(t *testing.T) {
	a, b := NewSubscriptions("a"), NewSubscriptions("b")
	same := 0
	for n := range uint64(10_000) {
		if a.permute(n) == b.permute(n) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d of 10000 microseconds give both one id", same)
	}
	if again := NewSubscriptions("a"); again.permute(12345) != a.permute(12345) {
		t.Error("the name does not choose the permutation")
	}
}

// undo is permute backwards, step by step.
func undo(key, n uint64) uint64 {
	const mask = 1<<53 - 1
	// inverse finds the factor that undoes an odd factor, each step doubling
	// the bits that are right.
	inverse := func(factor uint64) uint64 {
		x := factor
		for range 6 {
			x *= 2 - factor*x
		}
		return x
	}
	n ^= n>>26 ^ n>>52
	n = n * inverse(0xBF58476D1CE4E5B9) & mask
	n ^= n >> 27
	n = n * inverse(0x9E3779B97F4A7C15) & mask
	return (n ^ key) & mask
}

func TestPermuteIsABijection(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"", "registry-hub", "a", "a-very-long-name-of-a-hub"} {
		s := NewSubscriptions(name)
		check := func(n uint64) {
			if back := undo(s.key, s.permute(n)); back != n {
				t.Fatalf("%q: %d became %d, and %d again", name, n, s.permute(n), back)
			}
		}
		for bit := range 53 {
			check(1 << bit)
			check(1<<bit - 1)
		}
		check(1<<53 - 1)
		for range 100_000 {
			check(random.Uint64N(1 << 53))
		}
	}
}

func TestParseSubscription(t *testing.T) {
	for params, want := range map[string]int64{
		`[5]`: 5, `5`: 5, `["5"]`: 5, `"5"`: 5, ` [ 5 ] `: 5, ` 5 `: 5, `[9007199254740991]`: 1<<53 - 1, `[0]`: 0, `[-1]`: -1,
	} {
		if id, ok := ParseSubscription([]byte(params)); !ok || id != want {
			t.Errorf("%s: %d, %v", params, id, ok)
		}
	}
	for _, params := range []string{
		``, `null`, `[]`, `[ ]`, `{}`, `{"subscription":5}`, `[5,6]`, `[[5]]`, `[null]`, `[1.5]`, `[1e3]`, `[5.0]`, `""`, `"x"`, `["5 "]`,
		`true`, `[18446744073709551616]`, `["\u0035"]`, `[`, `"`,
	} {
		if id, ok := ParseSubscription([]byte(params)); ok {
			t.Errorf("%s: %d", params, id)
		}
	}
}
