// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// loaded is a fake hub under the load of get. From the third request on (the
// first is the trial), which is the n-th, respond answers.
func loaded(t *testing.T, respond func(n int, c *fakeCall)) *fakeHub {
	var requests atomic.Int64
	f := newFake(t, "fake", func(c *fakeCall) {
		switch c.inner {
		case "registry.register":
			c.stream(string(c.ID), fakeData(`{"type":"backend_registered"}`), fakeDone)
		case "registry.list":
			c.stream(string(c.ID), fakeData(`{"type":"backends","backends":[]}`), fakeDone)
		case "registry.get":
			if n := int(requests.Add(1)) - 2; n >= 0 {
				respond(n, c)
				return
			}
			good(c)
		}
	})
	return f
}

func good(c *fakeCall) {
	c.stream(string(c.ID), fakeData(`{"type":"backend","backend":{"name":"x"}}`), fakeDone)
}

// report runs bench on a fake hub, whose calls may take a second.
func report(t *testing.T, f *fakeHub, args ...string) *benchReport {
	t.Helper()
	_, stdout, stderr := benchCommand(t.Context(), time.Second, append([]string{f.url, "--op", "get", "--json", "--warmup", "0s", "--backends", "3", "--duration", "100ms"}, args...)...)
	var r benchReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	return &r
}

func TestBenchCountsErrors(t *testing.T) {
	t.Parallel()
	items := func(items ...string) func(c *fakeCall) {
		return func(c *fakeCall) { c.stream(string(c.ID), items...) }
	}
	recoverable := fakeError("no", "-1", true)
	for name, test := range map[string]struct {
		respond func(c *fakeCall)
		want    string
	}{
		"refused": {func(c *fakeCall) {
			c.Send(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32003,"message":"no"}}`, c.ID)
		}, "error -32003"},
		"error item":           {items(fakeError("no", "-32000", false)), "error -32000"},
		"error that recovered": {items(recoverable, fakeData("1"), fakeDone), "error -1"},
		"code of text":         {items(fakeError("no", "a story", false)), "error"},
		"no data":              {items(fakeDone), "no data"},
		"registry error":       {items(fakeData(`{"type":"error","message":"no"}`), fakeDone), "registry error"},
		"no backend":           {items(fakeData(`{"type":"backend","backend":null}`), fakeDone), "no such backend"},
		"no done":              {items(fakeData("1")), "timed out"},
		"no answer":            {func(*fakeCall) {}, "timed out"},
		"lost":                 {func(c *fakeCall) { c.Close() }, "connection lost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some of them wait
			var n atomic.Int64
			r := report(t, loaded(t, func(_ int, c *fakeCall) {
				if n.Add(1)%2 == 0 {
					test.respond(c)
					return
				}
				good(c)
			})).Measured
			if r.Errors[test.want] == 0 || len(r.Errors) != 1 || r.Failed != r.Errors[test.want] || r.Operations == 0 || r.Latency.Count != r.Operations {
				t.Errorf("the result is %+v", r)
			}
		})
	}
}

// TestBenchChargesStalls: a hub that stalls for 150 ms of 200 is charged with
// every operation that was to be sent meanwhile, though it saw only one.
func TestBenchChargesStalls(t *testing.T) {
	t.Parallel()
	const stall = 150 * time.Millisecond
	f := loaded(t, func(n int, c *fakeCall) {
		if n == 1 {
			time.Sleep(stall)
		}
		good(c)
	})
	r := report(t, f, "--connections", "1", "--in-flight", "1", "--rate", "1000", "--duration", "200ms").Measured
	if total := r.Operations + r.Failed; total != 200 || r.Latency.Count != 200 {
		t.Errorf("%d operations, %d latencies, in 200 ms at 1000 a second", total, r.Latency.Count)
	}
	// The operation of millisecond n waits for at least 150 - n. A slow
	// machine makes that longer, never shorter.
	for what, c := range map[string]struct {
		got, want time.Duration
	}{"worst": {r.Latency.Worst, stall - 5*time.Millisecond}, "p99": {r.Latency.P99, stall - 10*time.Millisecond}, "p50": {r.Latency.P50, 40 * time.Millisecond}} {
		if c.got < c.want {
			t.Errorf("%s is %v, not at least %v", what, c.got, c.want)
		}
	}
}

// TestBenchCountsWhatIsNeverSent: what a hub that hangs holds up for good is
// counted, each operation once, with the time that it waited.
func TestBenchCountsWhatIsNeverSent(t *testing.T) {
	t.Parallel()
	f := loaded(t, func(int, *fakeCall) {})
	r := report(t, f, "--connections", "1", "--in-flight", "1", "--rate", "1000").Measured
	unsent := r.Errors["not sent in time"]
	if r.Failed != 100 || unsent < 99 || unsent+r.Errors["timed out"] != 100 || r.Latency.Count != unsent {
		t.Errorf("%d failed, errors %v, %d latencies", r.Failed, r.Errors, r.Latency.Count)
	}
}

// TestBenchInterruptedWhileTheHubHangs: a run that is interrupted does not wait
// as long as operations may take.
func TestBenchInterruptedWhileTheHubHangs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := loaded(t, func(int, *fakeCall) { cancel() })
	began := time.Now()
	status, stdout, _ := benchCommand(ctx, 0, f.url, "--op", "get", "--backends", "1", "--duration", "1h", "--warmup", "0s")
	if took := time.Since(began); status != failed || !strings.Contains(stdout, "interrupted") || !strings.Contains(stdout, "timed out") || took > 8*time.Second {
		t.Errorf("after %v: status %d, %s", took, status, stdout)
	}
}

func TestTally(t *testing.T) {
	shares := operation("mixed").shares()
	tally := newTally(len(shares))
	for ms := range 1000 {
		tally.add(ms%2, time.Duration(ms+1)*time.Millisecond, "")
	}
	tally.add(2, 2*time.Second, unsent)
	tally.add(0, 0, "refused")
	r := tally.result(shares, 4*time.Second)
	if r.Operations != 1000 || r.PerSecond != 250 || r.Seconds != 4 || r.Failed != 2 || r.Latency.Count != 1001 ||
		len(r.Errors) != 2 || r.Errors["refused"] != 1 || r.Errors["not sent in time"] != 1 {
		t.Errorf("the result is %+v", r)
	}
	for what, c := range map[string]struct {
		got, want time.Duration
	}{
		"p50":   {r.Latency.P50, 501 * time.Millisecond},
		"p99":   {r.Latency.P99, 991 * time.Millisecond},
		"p99.9": {r.Latency.P999, 1000 * time.Millisecond},
		"worst": {r.Latency.Worst, 2 * time.Second},
		"ping":  {r.ByOperation[2].Latency.P50, 2 * time.Second},
		"none":  {r.ByOperation[3].Latency.P50, 0},
	} {
		if off := float64(c.got - c.want); off > float64(c.want)/999 || off < -float64(c.want)/999 {
			t.Errorf("%s is %v, not %v", what, c.got, c.want)
		}
	}
	for i := range 1000 { // kinds of errors are bounded
		tally.add(0, 0, fmt.Sprintf("refused %d", i))
	}
	if r := tally.result(shares, time.Second); len(r.Errors) != maxErrorKinds+1 || r.Errors["other"] != 1000-maxErrorKinds+2 || r.Failed != 1002 {
		t.Errorf("%d kinds of errors: %v", len(r.Errors), r.Errors)
	}
}
