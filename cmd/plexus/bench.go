// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// benchOptions are what the flags of bench say. Those with a name in JSON are
// in the report.
type benchOptions struct {
	Operation   operation `json:"operation"`
	Connections int       `json:"connections"`
	InFlight    int       `json:"in_flight"` // on each connection
	Backends    int       `json:"backends"`  // 0 in the report where none was needed
	Rate        float64   `json:"rate"`      // operations a second; 0 for as many as possible

	duration, warmup time.Duration
	// timeout is how long operations may take to end after the last was sent,
	// and how long each call of the preparation may take.
	timeout time.Duration
}

// bench is the command that measures what a hub with a registry carries.
func (c *command) bench() *cobra.Command {
	o := benchOptions{timeout: cmp.Or(c.benchTimeout, 10*time.Second)}
	cmd := &cobra.Command{
		Use: "bench URL [flags]", Short: "Measure how many operations per second a registry serves",
		Long: "Registers backends of its own, keeps calls in flight over several connections, prints operations per second and latencies, from the request to the end of its stream, and deletes the backends again.\n\n" +
			"The status is 0 if it was measured, though operations failed: they are counted. It is 1 if nothing could be measured, if it was interrupted, or if the backends could not be deleted; 2 for wrong usage.",
		RunE: c.run(func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return usagef("bench takes one address").withHint("plexus bench ws://HOST:PORT")
			}
			return c.runBench(ctx, args[0], o)
		}),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar((*string)(&o.Operation), "op", "mixed", "`OPERATION`: get (one backend), list (a page of up to 100), ping, register (a backend that exists, again), info, or mixed (80 % get, 10 % list, 5 % ping, 5 % register)")
	f.IntVar(&o.Connections, "connections", 16, "Open `N` connections")
	f.IntVar(&o.InFlight, "in-flight", 8, "Keep at most `N` operations in flight on each connection")
	f.DurationVar(&o.duration, "duration", 10*time.Second, "Measure for `TIME`")
	f.DurationVar(&o.warmup, "warmup", time.Second, "Load for `TIME` before that, without counting")
	f.IntVar(&o.Backends, "backends", 1000, "Register `N` backends, named bench-…, and delete them afterwards")
	f.Float64Var(&o.Rate, "rate", 0, "Send `N` operations a second, over all connections. Latency then counts from when an operation was to be sent, even if it could not be. 0: as many as possible")
	return cmd
}

// check reports what is wrong with the options.
func (o *benchOptions) check() error {
	for _, limit := range []struct {
		flag  string
		value any
		ok    bool
		must  string
	}{
		{"op", o.Operation, o.Operation.shares() != nil, "get, list, ping, register, info or mixed"},
		{"connections", o.Connections, o.Connections >= 1 && o.Connections <= 10_000, "1–10000"},
		{"in-flight", o.InFlight, o.InFlight >= 1 && o.InFlight <= 1000, "1–1000"},
		{"duration", o.duration, o.duration > 0 && o.duration <= 24*time.Hour, "above 0, up to 24h"},
		{"warmup", o.warmup, o.warmup >= 0 && o.warmup <= 24*time.Hour, "0 to 24h"},
		{"backends", o.Backends, o.Backends >= 1 && o.Backends <= 1_000_000, "1–1000000"},
		{"rate", o.Rate, o.Rate >= 0 && o.Rate <= 1e7, "0–10000000"},
	} {
		if !limit.ok {
			return usagef("invalid value for --%s: %v (must be %s)", limit.flag, limit.value, limit.must)
		}
	}
	return nil
}

// runBench loads a hub and prints the report.
func (c *command) runBench(ctx context.Context, address string, o benchOptions) error {
	c.forced.off.Store(true) // it deletes what it made, in its own time
	u, err := parseAddress(address)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return err
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil // they may hold secrets
	report, failure := measure(ctx, c.hubs, address, &o)
	if report == nil {
		return failure
	}
	report.URL = u.String()
	if c.options.mode == modeJSON {
		var text []byte
		if text, err = json.MarshalIndent(report, "", "  "); err == nil {
			err = c.printer.write(append(text, '\n'))
		}
	} else {
		err = c.printer.text(report.text())
	}
	switch {
	case err != nil:
		return fmt.Errorf("writing the report: %w", err)
	case failure != nil:
		return failure
	case report.Interrupted || report.Measured.Operations == 0:
		return errReported
	}
	return nil
}
