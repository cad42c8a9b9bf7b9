// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"maps"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tally counts what became of operations. It takes the same memory however
// many there are: latencies go into histograms, to three digits.
type tally struct {
	mu      sync.Mutex
	latency []*hdrhistogram.Histogram // in nanoseconds, by index in the blend
	done    int64
	errors  map[string]int64 // by kind
	waited  time.Duration    // the longest that latency knows
}

// The histograms' range. What takes longer than the longest counts as that.
const (
	shortest = 1
	longest  = int64(10 * time.Minute)
	digits   = 3
)

// mostKinds bounds the kinds of errors, whose codes the hub chooses; the
// others go under otherKind.
const (
	mostKinds = 32
	otherKind = "other"
)

func newTally(kinds int) *tally {
	t := &tally{errors: map[string]int64{}}
	for range kinds {
		t.latency = append(t.latency, newHistogram())
	}
	return t
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortest, longest, digits)
}

// success counts an operation that ended well.
func (t *tally) success(kind int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	t.record(kind, took)
}

// failure counts an operation that did not.
func (t *tally) failure(why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail(why)
}

// unsent counts an operation that was not sent while there was time. Its
// waiting is the least that it would have taken.
func (t *tally) unsent(kind int, waited time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail("not sent in time")
	t.record(kind, waited)
}

func (t *tally) fail(why string) {
	if _, known := t.errors[why]; !known && len(t.errors) >= mostKinds {
		why = otherKind
	}
	t.errors[why]++
}

func (t *tally) record(kind int, took time.Duration) {
	// It is in the range, so there is no error.
	_ = t.latency[kind].RecordValue(min(max(int64(took), shortest), longest))
	t.waited = max(t.waited, took)
}

// count returns how many operations ended well.
func (t *tally) count() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}

// reset forgets all, as after a warm-up.
func (t *tally) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.latency {
		h.Reset()
	}
	t.done, t.waited = 0, 0
	clear(t.errors)
}

// result sums up what was done in so much time.
func (t *tally) result(blend []share, elapsed time.Duration) *Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &Result{Operations: t.done, Errors: maps.Clone(t.errors), Seconds: elapsed.Seconds()}
	r.PerSecond = divide(float64(t.done), elapsed.Seconds())
	for _, n := range t.errors {
		r.Failed += n
	}
	all := newHistogram()
	for i, s := range blend {
		all.Merge(t.latency[i])
		if len(blend) > 1 {
			r.ByOperation = append(r.ByOperation, Part{Operation: s.Operation, Percent: s.percent, Latency: latencyOf(t.latency[i])})
		}
	}
	r.Latency = latencyOf(all)
	r.Latency.Worst = int64(t.waited)
	return r
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	return Latency{
		Count: h.TotalCount(),
		P50:   h.ValueAtQuantile(50),
		P99:   h.ValueAtQuantile(99),
		P999:  h.ValueAtQuantile(99.9),
		Worst: h.Max(),
	}
}
