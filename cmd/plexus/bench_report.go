// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// benchReport is what a run found out. Its JSON is meant for machines: names
// and units stay as they are.
type benchReport struct {
	URL string `json:"url"` // without its query
	Hub string `json:"hub"` // its name
	benchOptions
	Interrupted bool         `json:"interrupted"` // before the duration was over
	Measured    *benchResult `json:"measured"`
}

// benchResult is what became of the operations.
type benchResult struct {
	// Operations is how many succeeded, PerSecond how many of those a second.
	Operations int64   `json:"operations"`
	PerSecond  float64 `json:"per_second"`
	// Failed is how many did not, Errors the same by kind.
	Failed int64            `json:"failed"`
	Errors map[string]int64 `json:"errors"`
	// Seconds is how long the hub was under load.
	Seconds float64 `json:"seconds"`
	Latency latency `json:"latency_ns"`
	// ByOperation is there for mixed operations.
	ByOperation []benchPart `json:"by_operation,omitempty"`
}

// benchPart is one of mixed operations.
type benchPart struct {
	share
	Latency latency `json:"latency_ns"`
}

// latency is how long operations took, in nanoseconds, to three digits; 0
// where there was none. Those that failed are not counted, save for those that
// could not be sent in time, with the time that they waited.
type latency struct {
	Count int64         `json:"count"`
	P50   time.Duration `json:"p50"`
	P99   time.Duration `json:"p99"`
	P999  time.Duration `json:"p999"`
	Worst time.Duration `json:"worst"`
}

// text is the report for people.
func (r *benchReport) text() string {
	var text strings.Builder
	way := "as many as possible"
	if r.Rate > 0 {
		way = fmt.Sprintf("%g/s, latency from the intended time of sending", r.Rate)
	}
	fmt.Fprintf(&text, "%s (%s): %s, %d connections × %d in flight, %d backends, %s\n",
		r.URL, r.Hub, r.Operation, r.Connections, r.InFlight, r.Backends, way)
	if r.Interrupted {
		text.WriteString("interrupted: only a part of the time was measured\n")
	}
	text.WriteByte('\n')
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tops/s\tp50\tp99\tp99.9\tworst\toperations\tfailed\t")
	row := func(name string, perSecond float64, l latency, n int64, failed string) {
		fmt.Fprintf(table, "%s\t%.0f\t%s\t%s\t%s\t%s\t%d\t%s\t\n", name, perSecond,
			shortTime(l.P50), shortTime(l.P99), shortTime(l.P999), shortTime(l.Worst), n, failed)
	}
	m := r.Measured
	row("hub", m.PerSecond, m.Latency, m.Operations, fmt.Sprint(m.Failed))
	for _, part := range m.ByOperation {
		row(string(part.Operation), float64(part.Latency.Count)/max(m.Seconds, 1e-9), part.Latency, part.Latency.Count, "")
	}
	table.Flush()
	for _, kind := range slices.Sorted(maps.Keys(m.Errors)) {
		fmt.Fprintf(&text, "hub: %d × %s\n", m.Errors[kind], kind)
	}
	return text.String()
}

// shortTime writes a time with about three digits.
func shortTime(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond / 10).String()
}

// maxLatency is longer than any run with its timeouts.
const maxLatency = 25 * time.Hour

// tally counts what became of operations. It takes the same memory however
// many there are: latencies go into histograms, to three digits.
type tally struct {
	mu        sync.Mutex
	latencies []*hdrhistogram.Histogram // by index in the shares
	done      int64
	errors    map[string]int64 // by kind
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(maxLatency), 3) // in nanoseconds
}

// maxErrorKinds bounds the kinds of errors, whose codes the hub chooses; the
// others are counted together.
const maxErrorKinds = 32

func newTally(operations int) *tally {
	t := &tally{errors: map[string]int64{}}
	for range operations {
		t.latencies = append(t.latencies, newHistogram())
	}
	return t
}

// unsent is what operations are counted under that were not sent while there
// was time.
const unsent = "not sent in time"

// add counts an operation, and why it failed; empty if it did not. Of one that
// was not sent, took is how long it waited: it would have taken at least that.
func (t *tally) add(kind int, took time.Duration, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if why == "" {
		t.done++
	} else {
		if _, known := t.errors[why]; !known && len(t.errors) >= maxErrorKinds {
			why = "other"
		}
		t.errors[why]++
	}
	if why == "" || why == unsent {
		// It is in the range, so there is no error.
		_ = t.latencies[kind].RecordValue(int64(min(max(took, 0), maxLatency)))
	}
}

// result sums up what was done in so much time.
func (t *tally) result(shares []share, elapsed time.Duration) *benchResult {
	r := &benchResult{Operations: t.done, Errors: t.errors, Seconds: elapsed.Seconds()}
	r.PerSecond = float64(t.done) / max(elapsed.Seconds(), 1e-9)
	for _, n := range t.errors {
		r.Failed += n
	}
	all := newHistogram()
	for i, s := range shares {
		all.Merge(t.latencies[i])
		if len(shares) > 1 {
			r.ByOperation = append(r.ByOperation, benchPart{s, latencyOf(t.latencies[i])})
		}
	}
	r.Latency = latencyOf(all)
	return r
}

func latencyOf(h *hdrhistogram.Histogram) latency {
	at := func(percent float64) time.Duration { return time.Duration(h.ValueAtQuantile(percent)) }
	return latency{h.TotalCount(), at(50), at(99), at(99.9), time.Duration(h.Max())}
}
