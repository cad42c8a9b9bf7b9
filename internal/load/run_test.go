// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/transport"
)

// small is a load that a test can wait for.
func small(url string, o Operation) Options {
	return Options{URL: url, Operation: o, Connections: 2, InFlight: 3, Duration: 100 * time.Millisecond, Backends: 20}
}

// checkResult sees that the counts of a result add up.
func checkResult(t *testing.T, r *Result) {
	t.Helper()
	if r.Operations == 0 || r.Failed != 0 || len(r.Errors) != 0 {
		t.Errorf("%d operations ended well, %d did not: %v", r.Operations, r.Failed, r.Errors)
	}
	l := r.Latency
	if l.Count != r.Operations {
		t.Errorf("%d latencies of %d operations", l.Count, r.Operations)
	}
	// The quantiles are to three digits, the worst is exact.
	if l.P50 <= 0 || l.P99 < l.P50 || l.P999 < l.P99 || float64(l.Worst)*1.001 < float64(l.P999) {
		t.Errorf("the latencies are %+v", l)
	}
	if r.Seconds <= 0 || r.PerSecond <= 0 {
		t.Errorf("%v a second in %v seconds", r.PerSecond, r.Seconds)
	}
	var parts int64
	for _, part := range r.ByOperation {
		parts += part.Latency.Count
	}
	if r.ByOperation != nil && parts != r.Operations {
		t.Errorf("%d operations in the parts, %d in all", parts, r.Operations)
	}
}

func TestRun(t *testing.T) {
	url, reg := serveHub(t)
	if _, err := reg.Register(t.Context(), registry.RegisterParams{Name: "bench-of-somebody", Host: "h", Port: 1}); err != nil {
		t.Fatal(err)
	}
	for _, o := range Operations() {
		for _, rate := range []float64{0, 500} {
			name := string(o)
			if rate > 0 {
				name += " at a rate"
			}
			t.Run(name, func(t *testing.T) {
				options := small(url, o)
				options.Rate = rate
				options.Warmup = 10 * time.Millisecond
				report, err := Run(t.Context(), options)
				if err != nil {
					t.Fatal(err)
				}
				if report.Hub != "test-hub" || report.Interrupted || report.Baseline != nil || report.Ratio != nil {
					t.Errorf("the report is %+v", report)
				}
				if rate == 0 || report.Measured.Failed == 0 { // a slow machine need not hold it
					checkResult(t, report.Measured)
				}
				if total := report.Measured.Operations + report.Measured.Failed; rate > 0 && total != 50 {
					t.Errorf("%d operations in 100 ms at 500 a second", total)
				}
				if (len(report.Measured.ByOperation) > 0) != (o == Mixed) {
					t.Errorf("the parts are %v", report.Measured.ByOperation)
				}
				if left := names(t, reg); !slices.Equal(left, []string{"bench-of-somebody"}) {
					t.Errorf("left in the registry: %v", left)
				}
			})
		}
	}
}

func TestRunWithBaseline(t *testing.T) {
	url, _ := serveHub(t)
	options := small(url, Mixed)
	options.Baseline = true
	report, err := Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, report.Measured)
	checkResult(t, report.Baseline)
	if r := report.Ratio; r.PerSecond <= 0 || r.P50 <= 0 || r.P99 <= 0 {
		t.Errorf("the ratio is %+v", r)
	}
}

func TestRunInterrupted(t *testing.T) {
	url, reg := serveHub(t)
	// How many backends are there when it is broken off.
	for name, seen := range map[string]int{"in the preparation": 1, "under load": 200} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			options := small(url, Register)
			options.Backends, options.Duration = 200, time.Hour
			type outcome struct {
				report *Report
				err    error
			}
			ended := make(chan outcome, 1)
			go func() {
				report, err := Run(ctx, options)
				ended <- outcome{report, err}
			}()
			for end := time.Now().Add(patience); len(names(t, reg)) < seen; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the backends are not registered")
				}
			}
			cancel()
			got := <-ended
			if got.report != nil && !got.report.Interrupted || got.report == nil && !errors.Is(got.err, context.Canceled) {
				t.Errorf("it ended with %+v, %v", got.report, got.err)
			}
			if left := names(t, reg); len(left) > 0 {
				t.Errorf("%d backends are left", len(left))
			}
		})
	}
}

func TestRunThatCannotBegin(t *testing.T) {
	fake := &fakeHub{respond: func(_ int, id string) []string { return good(id) }}
	cases := map[string]struct {
		options Options
		want    string
	}{
		"bad options": {small("http://127.0.0.1:1", Get), "does not begin with ws://"},
		"no hub":      {small("ws://127.0.0.1:1", Get), "refused"},
		"no registry": {small(fake.serve(t), Get), "registering bench-"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.options.Timeout = patience
			report, err := Run(t.Context(), c.options)
			if report != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it ended with %+v, %v", report, err)
			}
		})
	}
}

// TestHeader: all connections to the hub carry the header, and those to the
// baseline need none.
func TestHeader(t *testing.T) {
	url, reg := serveHub(t, transport.WithAuthentication(func(r *http.Request) (plugin.Caller, error) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			return plugin.Caller{}, errors.New("not the secret")
		}
		return plugin.Caller{Name: "bench", Scopes: []string{"*"}}, nil
	}))
	options := Options{
		URL: url, Operation: Mixed, Connections: 2, InFlight: 2, Backends: 3, Duration: 50 * time.Millisecond, Baseline: true,
	}
	if _, err := Run(t.Context(), options); err == nil {
		t.Error("it came in without the header")
	}
	options.Header = http.Header{"Authorization": {"Bearer secret"}}
	report, err := Run(t.Context(), options)
	if err != nil || report.Measured.Operations == 0 || report.Measured.Failed != 0 || len(names(t, reg)) != 0 {
		t.Errorf("got %+v, %v; left are %q", report, err, names(t, reg))
	}
}
