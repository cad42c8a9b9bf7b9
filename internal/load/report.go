// SPDX-License-Identifier: AGPL-3.0-only

package load

import "slices"

// Report is what a run found out. Its JSON is meant for machines: names and
// units stay as they are.
type Report struct {
	URL         string    `json:"url"` // without its query
	Hub         string    `json:"hub"` // its name
	Operation   Operation `json:"operation"`
	Connections int       `json:"connections"`
	InFlight    int       `json:"in_flight"` // of each connection
	Backends    int       `json:"backends"`  // 0 where none was needed
	Rate        float64   `json:"rate"`      // operations a second; 0 for as many as come through
	// Interrupted tells that the context ended before the duration did.
	Interrupted bool    `json:"interrupted"`
	Measured    *Result `json:"measured"`
	// Baseline and Ratio are nil where no baseline was asked for.
	Baseline *Result `json:"baseline,omitempty"`
	Ratio    *Ratio  `json:"ratio,omitempty"`
}

// Result is what became of the operations at one server.
type Result struct {
	// Operations is how many ended well, PerSecond how many of those a second.
	Operations int64   `json:"operations"`
	PerSecond  float64 `json:"per_second"`
	// Failed is how many did not, Errors the same by kind.
	Failed int64            `json:"failed"`
	Errors map[string]int64 `json:"errors"`
	// Seconds is how long the server was under load.
	Seconds float64 `json:"seconds"`
	Latency Latency `json:"latency_ns"`
	// ByOperation is there for a blend.
	ByOperation []Part `json:"by_operation,omitempty"`
}

// Part is one operation of a blend.
type Part struct {
	Operation Operation `json:"operation"`
	Percent   int       `json:"percent"` // of all operations
	Latency   Latency   `json:"latency_ns"`
}

// Latency is how long operations took, in nanoseconds, to three digits; 0
// where there was none. Those that failed are not counted, save for those that
// could not be sent in time, with the time that they waited.
type Latency struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50"`
	P99   int64 `json:"p99"`
	P999  int64 `json:"p999"`
	Worst int64 `json:"worst"`
}

// Ratio is the hub's figures divided by the baseline's; 0 where the baseline
// has none.
type Ratio struct {
	// PerSecond is the median over the turns that the two took, so that what
	// else the machine did in some of them does not count. At a rate that both
	// keep up with, it is about 1.
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
}

// ratioOf compares; turns are the ratios of the operations a second in each.
func ratioOf(hub, baseline *Result, turns []float64) *Ratio {
	r := &Ratio{
		P50: divide(float64(hub.Latency.P50), float64(baseline.Latency.P50)),
		P99: divide(float64(hub.Latency.P99), float64(baseline.Latency.P99)),
	}
	if sorted := slices.Sorted(slices.Values(turns)); len(sorted) > 0 {
		r.PerSecond = (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
	}
	return r
}

func divide(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
