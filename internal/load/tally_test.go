// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"fmt"
	"testing"
	"time"
)

func TestTally(t *testing.T) {
	blend := Mixed.blend()
	tally := newTally(len(blend))
	tally.success(0, time.Hour) // of a warm-up
	tally.failure("a warm-up")
	tally.reset()
	for ms := range 1000 {
		tally.success(ms%2, time.Duration(ms+1)*time.Millisecond)
	}
	tally.unsent(2, 2*time.Second)
	tally.failure("refused")
	r := tally.result(blend, 4*time.Second)
	if r.Operations != 1000 || r.PerSecond != 250 || r.Seconds != 4 || r.Failed != 2 {
		t.Errorf("the result is %+v", r)
	}
	if len(r.Errors) != 2 || r.Errors["refused"] != 1 || r.Errors["not sent in time"] != 1 {
		t.Errorf("the errors are %v", r.Errors)
	}
	for what, c := range map[string]struct {
		got  int64
		want time.Duration
	}{
		"p50":   {r.Latency.P50, 501 * time.Millisecond},
		"p99":   {r.Latency.P99, 991 * time.Millisecond},
		"p99.9": {r.Latency.P999, 1000 * time.Millisecond},
		"worst": {r.Latency.Worst, 2 * time.Second},
		"ping":  {r.ByOperation[2].Latency.P50, 2 * time.Second},
		"none":  {r.ByOperation[3].Latency.P50, 0},
	} {
		if off := float64(c.got - int64(c.want)); off > float64(c.want)/999 || off < -float64(c.want)/999 {
			t.Errorf("%s is %v, not %v", what, time.Duration(c.got), c.want)
		}
	}
	if r.Latency.Count != 1001 {
		t.Errorf("%d latencies", r.Latency.Count)
	}
}

func TestTallyIsBounded(t *testing.T) {
	tally := newTally(1)
	for i := range 1000 {
		tally.failure(fmt.Sprintf("refused %d", i))
	}
	r := tally.result(Get.blend(), time.Second)
	if len(r.Errors) != mostKinds+1 || r.Errors[otherKind] != 1000-mostKinds || r.Failed != 1000 {
		t.Errorf("%d kinds of errors: %v", len(r.Errors), r.Errors)
	}
	// What no histogram holds is as long as the longest, or as the shortest.
	tally.success(0, 24*time.Hour)
	tally.success(0, -time.Second)
	if r := tally.result(Get.blend(), time.Second); r.Latency.Count != 2 || r.Latency.Worst != int64(24*time.Hour) || r.Latency.P50 != shortest {
		t.Errorf("the latency is %+v", r.Latency)
	}
}

func TestRatio(t *testing.T) {
	hub := &Result{Latency: Latency{P50: 30, P99: 500}}
	baseline := &Result{Latency: Latency{P50: 10}}
	cases := []struct {
		turns []float64
		want  Ratio
	}{
		{nil, Ratio{P50: 3}},
		{[]float64{0.5}, Ratio{0.5, 3, 0}},
		{[]float64{9, 0.25, 0.5, 0.75}, Ratio{0.625, 3, 0}}, // the 9 is the machine's
	}
	for _, c := range cases {
		if got := ratioOf(hub, baseline, c.turns); *got != c.want {
			t.Errorf("the ratio of %v is %+v", c.turns, *got)
		}
	}
}
