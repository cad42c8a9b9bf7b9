// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"strings"
	"testing"
	"time"
)

func TestErrorsAreCounted(t *testing.T) {
	every := func(frames ...string) func(int, string) []string {
		return func(_ int, id string) []string { return filled(id, frames...) }
	}
	errorItem := func(fields string) string {
		return `{"jsonrpc":"2.0","method":"result","params":{"subscription":$ID,"result":{"type":"error","message":"no"` + fields + `}}}`
	}
	content := func(content string) string {
		return strings.ReplaceAll(fakeItem, `{"backend":"fake"}`, content)
	}
	cases := map[string]struct {
		respond func(n int, id string) []string
		want    string
	}{
		"refused":                   {every(`{"jsonrpc":"2.0","id":$ID,"error":{"code":-32003,"message":"no"}}`), "refused -32003"},
		"error item":                {every(fakeAnswer, errorItem(`,"code":"-32000","recoverable":false`)), "stream error -32000"},
		"error that is passed over": {every(fakeAnswer, errorItem(`,"recoverable":true`), fakeItem, fakeDone), "stream error"},
		"code of text":              {every(fakeAnswer, errorItem(`,"code":"a story","recoverable":false`)), "stream error"},
		"no data":                   {every(fakeAnswer, fakeDone), "no data"},
		"registry error":            {every(fakeAnswer, content(`{"type":"error","message":"no"}`), fakeDone), "registry error"},
		"no backend":                {every(fakeAnswer, content(`{"type":"backend","backend":null}`), fakeDone), "no such backend"},
		"no done":                   {every(fakeAnswer, fakeItem), "timed out"},
		"no answer":                 {every(), "timed out"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // two of them wait
			fake := &fakeHub{respond: func(n int, id string) []string {
				if n%2 == 0 {
					return c.respond(n, id)
				}
				return good(id)
			}}
			options := small(fake.serve(t), Info)
			if c.want == "timed out" {
				options.Timeout = time.Second
			}
			report, err := Run(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			r := report.Measured
			if r.Errors[c.want] == 0 || len(r.Errors) != 1 {
				t.Errorf("the errors are %v", r.Errors)
			}
			if r.Failed != r.Errors[c.want] || r.Operations+r.Failed != fake.loaded() {
				t.Errorf("%d ended well, %d did not, of %d", r.Operations, r.Failed, fake.loaded())
			}
			if r.Latency.Count != r.Operations {
				t.Errorf("%d latencies of %d operations", r.Latency.Count, r.Operations)
			}
		})
	}
}

func TestFramesOfNoOperation(t *testing.T) {
	for want, frame := range map[string]string{
		"stray frame":      fakeDone,
		"unreadable frame": `what?`,
	} {
		fake := &fakeHub{respond: func(n int, id string) []string { return append(good(id), filled("42", frame)...) }}
		report, err := Run(t.Context(), small(fake.serve(t), Info))
		if err != nil {
			t.Fatal(err)
		}
		if r := report.Measured; r.Operations == 0 || r.Errors[want] == 0 || len(r.Errors) != 1 {
			t.Errorf("%d operations, errors %v", r.Operations, r.Errors)
		}
	}
}

func TestLostConnections(t *testing.T) {
	for name, rate := range map[string]float64{"as many as come through": 0, "at a rate": 1000} {
		t.Run(name, func(t *testing.T) {
			fake := &fakeHub{respond: func(n int, id string) []string {
				if n >= 4 {
					return nil
				}
				return good(id)
			}}
			options := small(fake.serve(t), Info)
			options.Connections, options.InFlight, options.Rate = 1, 2, rate
			report, err := Run(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			r := report.Measured
			if r.Operations != 3 || r.Errors["connection lost"] == 0 || len(r.Errors) != 1 {
				t.Errorf("%d operations ended well, errors %v", r.Operations, r.Errors)
			}
			if rate > 0 && r.Operations+r.Failed != 100 {
				t.Errorf("%d operations in 100 ms at 1000 a second", r.Operations+r.Failed)
			}
		})
	}
}

// A server that stands still for 150 ms of 200 is charged with every operation
// that was to be sent meanwhile, though it saw only one of them.
func TestStallCountsForWhatItHeldUp(t *testing.T) {
	const stall = 150 * time.Millisecond
	fake := &fakeHub{respond: func(n int, id string) []string {
		if n == 1 {
			time.Sleep(stall)
		}
		return good(id)
	}}
	options := small(fake.serve(t), Info)
	options.Connections, options.InFlight = 1, 1
	options.Rate, options.Duration = 1000, 200*time.Millisecond
	report, err := Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	r := report.Measured
	if total := r.Operations + r.Failed; total != 200 || r.Latency.Count != 200 {
		t.Errorf("%d operations, %d latencies, in 200 ms at 1000 a second", total, r.Latency.Count)
	}
	// The operation of millisecond n waits for at least 150 - n. A slow
	// machine makes that longer, never shorter.
	least := func(what string, got int64, want time.Duration) {
		t.Helper()
		if time.Duration(got) < want {
			t.Errorf("%s is %v, not at least %v", what, time.Duration(got), want)
		}
	}
	least("the worst", r.Latency.Worst, stall-5*time.Millisecond)
	least("p99", r.Latency.P99, stall-10*time.Millisecond)
	least("p50", r.Latency.P50, 40*time.Millisecond)
}
