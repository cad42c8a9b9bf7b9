// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// benchHub runs a hub with a registry until the test ends.
func benchHub(t *testing.T, options ...transport.Option) *testhub.Hub {
	t.Helper()
	return testhub.Start(t, testhub.Config{Name: "test-hub", Registry: true, Options: options})
}

// listedBackend is a backend that a hub's registry lists.
type listedBackend struct {
	LastSeen *int64 `json:"last_seen"`
}

// listed lists the backends of a hub's registry.
func listed(t *testing.T, h *testhub.Hub) []listedBackend {
	t.Helper()
	var list struct{ Backends []listedBackend }
	for item := range h.Call("registry.list", nil).Items(context.Background()) {
		content, err := codec.AppendJSON(nil, item.Content)
		if item.Kind == plugin.KindData && err == nil {
			err = json.Unmarshal(content, &list)
		}
		if err != nil || item.Kind == plugin.KindError {
			t.Errorf("registry.list: %v %s", err, item.Message)
		}
	}
	return list.Backends
}

// benched runs the command on a small load, with more arguments.
func benched(ctx context.Context, url string, more ...string) (code int, stdout, stderr string) {
	return benchCommand(ctx, 0, append([]string{url, "--connections", "2", "--in-flight", "2", "--duration", "200ms", "--warmup", "10ms", "--backends", "10"}, more...)...)
}

// benchCommand runs the command, with a bound for each call; 0 for the default.
func benchCommand(ctx context.Context, timeout time.Duration, args ...string) (code int, stdout, stderr string) {
	var out, problems bytes.Buffer
	c := testCommand()
	c.benchTimeout = timeout
	c.printer.out, c.printer.err = &out, &problems
	err := c.do(ctx, append([]string{"bench"}, args...))
	c.hubs.close()
	return status(ctx, err, &problems), out.String(), problems.String()
}

func TestBenchPrints(t *testing.T) {
	t.Parallel()
	hub := benchHub(t)
	url := hub.URL
	cases := map[string]struct {
		args []string
		want []string
	}{
		"as many as possible": {[]string{"--op", "get"}, []string{"(test-hub): get, 2 connections × 2 in flight, 10 backends, as many as possible", "ops/s", "p99.9", "worst", "failed", "  hub  "}},
		"at a rate":           {[]string{"--op", "ping", "--rate", "300"}, []string{"300/s, latency from the intended time"}},
		"mixed":               {nil, []string{"       get  ", "  register  ", "× 2 in flight"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := benched(t.Context(), url, c.args...)
			if status != 0 || stderr != "" {
				t.Errorf("status %d, %s", status, stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("no %q in\n%s", want, stdout)
				}
			}
		})
	}
	if left := listed(t, hub); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

// TestBenchJSON: names and units of the report stay as they are.
func TestBenchJSON(t *testing.T) {
	t.Parallel()
	const (
		latency = `"latency_ns":{"count":0,"p50":0,"p99":0,"p999":0,"worst":0}`
		compact = `{"url":"URL","hub":"test-hub","operation":"mixed","connections":0,"in_flight":0,"backends":0,"rate":0,"interrupted":false,` +
			`"measured":{"operations":0,"per_second":0,"failed":0,"errors":{},"seconds":0,` + latency + `,"by_operation":[` +
			`{"operation":"get","percent":0,` + latency + `},{"operation":"list","percent":0,` + latency + `},` +
			`{"operation":"ping","percent":0,` + latency + `},{"operation":"register","percent":0,` + latency + `}]}}`
	)
	url := benchHub(t).URL
	status, stdout, stderr := benched(t.Context(), url, "--json")
	if status != 0 || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}
	var report benchReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.URL != url || report.Connections != 2 || report.Measured.Operations == 0 || report.Measured.Latency.P50 == 0 {
		t.Errorf("the report is %+v", report)
	}
	var want bytes.Buffer
	if err := json.Indent(&want, []byte(compact+"\n"), "", "  "); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`(": )[0-9][0-9.e+-]*`).ReplaceAllString(strings.Replace(stdout, url, "URL", 1), "${1}0")
	if got != want.String() {
		t.Errorf("the JSON is\n%s\nnot\n%s", got, want.String())
	}
}

func TestBenchMisused(t *testing.T) {
	const url = "ws://127.0.0.1:1"
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no URL":                {nil, "one address"},
		"two URLs":              {[]string{url, url}, "one address"},
		"other scheme":          {[]string{"http://127.0.0.1"}, "is not ws://HOST:PORT"},
		"unknown flag":          {[]string{url, "--speed"}, "unknown flag --speed"},
		"unknown operation":     {[]string{url, "--op", "delete"}, "invalid value for --op: delete (must be get, list, ping, register, info or mixed)"},
		"no number":             {[]string{url, "--connections", "many"}, `invalid value for --connections: "many"`},
		"no connections":        {[]string{url, "--connections", "0"}, "invalid value for --connections: 0 (must be 1–10000)"},
		"nothing in flight":     {[]string{url, "--in-flight", "0"}, "--in-flight: 0 (must be"},
		"no backends":           {[]string{url, "--backends", "0"}, "--backends: 0 (must be"},
		"no duration":           {[]string{url, "--duration", "0s"}, "--duration: 0s (must be above 0"},
		"duration no time":      {[]string{url, "--duration", "10"}, `--duration: "10"`},
		"a warm-up below zero":  {[]string{url, "--warmup", "-1s"}, "--warmup: -1s (must be"},
		"a header that is none": {[]string{url, "--header", "x"}, "--header must be NAME:VALUE"},
		"a cookie that is none": {[]string{url, "--cookie", "x"}, "--cookie must be NAME=VALUE"},
		"rate below zero":       {[]string{url, "--rate=-5"}, "--rate: -5 (must be 0–10000000)"},
		"rate no number":        {[]string{url, "--rate=NaN"}, "--rate: NaN (must be"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := benchCommand(t.Context(), 0, c.args...)
			if status != 2 || stdout != "" {
				t.Errorf("status %d, printed %q", status, stdout)
			}
			if first, _, _ := strings.Cut(stderr, "\n"); !strings.HasPrefix(first, "plexus: ") || !strings.Contains(first, c.want) {
				t.Errorf("it says %q", stderr)
			}
		})
	}
}

func TestBenchHelps(t *testing.T) {
	status, stdout, stderr := benchCommand(t.Context(), 0, "--help")
	if status != 0 || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}
	for _, want := range []string{"--op OPERATION", "--in-flight N", "--rate N", "80 % get", "Default: 16."} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestBenchFails(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := benched(t.Context(), "ws://127.0.0.1:1")
	if status != 1 || stdout != "" || !strings.Contains(stderr, "nothing listens") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("without a hub: status %d, %q, %q", status, stdout, stderr)
	}
}

// Broken off under load, it prints what it has, and leaves nothing behind.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	hub := benchHub(t)
	url := hub.URL
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		defer cancel()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			// The first is pinged before the load, others only by it.
			pinged := 0
			for _, b := range listed(t, hub) {
				if b.LastSeen != nil {
					pinged++
				}
			}
			if pinged > 1 {
				return
			}
		}
		t.Error("there is no load")
	}()
	status, stdout, stderr := benched(ctx, url, "--op", "ping", "--duration", "1h")
	<-watched
	if status != 1 || stderr != "" || !strings.Contains(stdout, "interrupted: only a part") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	if left := listed(t, hub); len(left) != 0 {
		t.Errorf("%d backends are left", len(left))
	}
}
