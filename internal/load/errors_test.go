// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"context"
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
	for name, c := range map[string]struct {
		more func(id string) []string
		want string
	}{
		"another's item":    {func(string) []string { return filled("42", fakeDone) }, "stray frame"},
		"another's answer":  {func(string) []string { return filled("42", fakeAnswer) }, "stray frame"},
		"its answer, again": {func(id string) []string { return filled(id, fakeAnswer) }, "stray frame"},
		"no JSON":           {func(string) []string { return []string{`what?`} }, "unreadable frame"},
	} {
		fake := &fakeHub{respond: func(n int, id string) []string { return append(good(id), c.more(id)...) }}
		report, err := Run(t.Context(), small(fake.serve(t), Info))
		if err != nil {
			t.Fatal(err)
		}
		if r := report.Measured; r.Operations == 0 || r.Errors[c.want] == 0 || len(r.Errors) != 1 {
			t.Errorf("%s: %d operations, errors %v", name, r.Operations, r.Errors)
		}
	}
}

// A trial that does not come to its end is broken off.
func TestEndlessTrial(t *testing.T) {
	fake := &fakeHub{trial: func(id string) []string {
		frames := filled(id, fakeAnswer)
		for range mostSampled {
			frames = append(frames, filled(id, fakeItem)...)
		}
		return frames
	}}
	report, err := Run(t.Context(), small(fake.serve(t), Info))
	if report != nil || err == nil || !strings.Contains(err.Error(), "more than 64 frames") {
		t.Errorf("got %v, %v", report, err)
	}
}

// What a hub that stands still holds up for good is counted, each operation
// once, with the least that it would have taken.
func TestWhatIsNeverSent(t *testing.T) {
	fake := &fakeHub{respond: func(int, string) []string { return []string{} }}
	options := small(fake.serve(t), Info)
	options.Connections, options.InFlight = 1, 1
	options.Rate, options.Duration, options.Timeout = 1000, 100*time.Millisecond, time.Second
	report, err := Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	r := report.Measured
	unsent := r.Errors["not sent in time"]
	if r.Failed != 100 || unsent < 99 || unsent+r.Errors["timed out"] != 100 || r.Latency.Count != unsent {
		t.Errorf("%d failed, errors %v, %d latencies", r.Failed, r.Errors, r.Latency.Count)
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
			// On a slow machine some are late already when the connection is lost.
			if r.Operations != 3 || r.Errors["connection lost"] == 0 || r.Errors["connection lost"]+r.Errors["not sent in time"] != r.Failed {
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

// A run that is broken off does not wait for a hub that stands still as long as
// operations may take.
func TestInterruptedWhileTheHubStandsStill(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fake := &fakeHub{respond: func(int, string) []string { cancel(); return []string{} }}
	options := small(fake.serve(t), Info)
	options.Timeout = time.Hour
	ended := make(chan *Report, 1)
	go func() {
		report, _ := Run(ctx, options)
		ended <- report
	}()
	select {
	case report := <-ended:
		if report == nil || !report.Interrupted || report.Measured.Errors["timed out"] == 0 {
			t.Errorf("the report is %+v", report)
		}
	case <-time.After(patience):
		t.Error("it goes on")
	}
}
