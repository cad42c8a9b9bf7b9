// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// ask asks for memory in a goroutine. What is returned holds "granted" or
// "refused" in the end.
func ask(m *memoryLimiter, bytes int64, stop <-chan struct{}) *atomic.Value {
	answer := new(atomic.Value)
	answer.Store("waits")
	go func() {
		answer.Store(map[bool]string{true: "granted", false: "refused"}[m.acquire(bytes, stop)])
	}()
	synctest.Wait()
	return answer
}

func TestMemoryIsGrantedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memoryLimiter{limit: 100, wait: time.Second}
		m.add(70)
		stop := make(chan struct{})
		claims := []*atomic.Value{ask(m, 40, nil), ask(m, 50, stop), ask(m, 50, nil), ask(m, 1, nil), ask(m, 1000, nil)}
		for _, step := range []struct {
			name string
			do   func()
			want [5]string
		}{
			{"nobody is overtaken", func() {}, [5]string{"waits", "waits", "waits", "waits", "waits"}},
			{"the first fits", func() { m.add(-10) }, [5]string{"granted", "waits", "waits", "waits", "waits"}},
			{"the second gives up", func() { close(stop) }, [5]string{"granted", "refused", "waits", "waits", "waits"}},
			{"two more fit", func() { m.add(-60) }, [5]string{"granted", "refused", "granted", "granted", "waits"}},
			{"more than there is, when half is free", func() { m.add(-41) }, [5]string{"granted", "refused", "granted", "granted", "granted"}},
		} {
			step.do()
			synctest.Wait()
			for i, got := range claims {
				if got.Load() != step.want[i] {
					t.Errorf("%s: claim %d %s, want %s", step.name, i, got.Load(), step.want[i])
				}
			}
		}
	})
}

// TestHoldersAreHurriedThenOthersRefused: to hurry costs as much as there are
// connections, so however many wait, it happens five times in the wait.
func TestHoldersAreHurriedThenOthersRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hurried atomic.Int64
		m := &memoryLimiter{limit: 100, wait: 5 * time.Second, hurry: func() { hurried.Add(1) }}
		m.add(100)
		var claims []*atomic.Value
		for range 100 {
			claims = append(claims, ask(m, 1, nil))
		}
		time.Sleep(4500 * time.Millisecond)
		synctest.Wait()
		if hurried.Load() != 4 || claims[0].Load() != "waits" {
			t.Errorf("hurried %d times in four and a half seconds, want 4; the first %s", hurried.Load(), claims[0].Load())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if claims[0].Load() != "refused" || claims[99].Load() != "refused" {
			t.Errorf("the first %s, the last %s", claims[0].Load(), claims[99].Load())
		}
		m.hurry = func() { m.add(-100) }
		if begun := time.Now(); !m.acquire(1, nil) || time.Since(begun) != time.Second {
			t.Errorf("not granted by a hurry, after %v", time.Since(begun))
		}
	})
}

func TestRateLimit(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	for name, test := range map[string]struct {
		perSecond, calls, each int
		stop                   <-chan struct{}
		want                   time.Duration
	}{
		"what a batch may have passes": {100, 1024, 1, nil, 0},
		"then so many a second":        {100, 1024 + 500, 1, nil, 5 * time.Second},
		"a batch waits for all of it":  {100, 2, 1024, nil, 10*time.Second + 240*time.Millisecond},
		"not when the connection ends": {100, 5000, 1, closed, 0},
		"no limit":                     {-1, 1_000_000, 1, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter := newRateLimiter(test.perSecond)
				begun := time.Now()
				for range test.calls {
					limiter.wait(test.each, test.stop)
				}
				if took := time.Since(begun); took < test.want-10*time.Millisecond || took > test.want+10*time.Millisecond {
					t.Errorf("took %v, want %v", took, test.want)
				}
			})
		})
	}
}
