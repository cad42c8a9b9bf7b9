// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/plexus-go/plexus/transport/client"
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

func (c *command) runBench(ctx context.Context, address string, o benchOptions) error {
	c.unforced.Store(true) // it deletes what it made, in its own time
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

// operation is what is asked of the hub, again and again.
type operation string

// share is how often an operation is done, of a hundred.
type share struct {
	Operation operation `json:"operation"`
	Percent   int       `json:"percent"`
}

// shares are the operations that one is made of; nil for one that does not
// exist.
func (o operation) shares() []share {
	switch o {
	case "get", "list", "ping", "register", "info":
		return []share{{o, 100}}
	case "mixed":
		return []share{{"get", 80}, {"list", 10}, {"ping", 5}, {"register", 5}}
	}
	return nil
}

// measure puts a hub under load until the duration is over or ctx is done. When
// it returns, its backends are removed and its connections closed.
//
// Operations that fail are counted in the report, and are no error. There may
// be both a report and an error: then the backends could not be removed.
func measure(ctx context.Context, h *hubs, url string, o *benchOptions) (report *benchReport, err error) {
	first, err := h.dial(ctx, url, true)
	if err != nil {
		return nil, err
	}
	b := &benchmark{
		benchOptions: o, shares: o.Operation.shares(), hubs: h, first: first, began: time.Now(),
		prefix: fmt.Sprintf("bench-%08x-", rand.Uint32()), // #nosec G404 -- it keeps runs apart, and is no secret
	}
	b.tally = newTally(len(b.shares))
	if o.Operation != "info" {
		defer func() { err = errors.Join(err, b.remove(context.WithoutCancel(ctx))) }()
		if err := b.register(ctx); err != nil {
			return nil, err
		}
	}
	for i, s := range b.shares { // each once, to see that the hub has it
		trial, cancel := context.WithTimeout(ctx, b.timeout)
		err := b.operate(trial, first.Client, i)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("trying %s: %w", s.Operation, err)
		}
	}
	b.clients = make([]*client.Client, o.Connections)
	err = each(ctx, o.Connections, func(i int) error {
		at, err := h.dial(ctx, url, true)
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, o.Connections, err)
		}
		b.clients[i] = at.Client
		return nil
	})
	if err != nil {
		return nil, err
	}
	if o.warmup > 0 {
		b.load(ctx, o.warmup)
		b.tally = newTally(len(b.shares))
	}
	took := b.load(ctx, o.duration)
	report = &benchReport{Hub: first.name, benchOptions: *o, Interrupted: ctx.Err() != nil, Measured: b.tally.result(b.shares, took)}
	if o.Operation == "info" {
		report.Backends = 0
	}
	return report, nil
}

// writers is how many calls prepare and remove backends at once.
const writers = 16

// name is that of a backend. They have a prefix of their own, so that nothing
// else in the registry is touched.
func (b *benchmark) name(i int) string { return fmt.Sprintf("%s%06d", b.prefix, i) }

// registration are the parameters of a backend. Where the hub probes backends,
// nobody is at the address, and it says so at once.
func (b *benchmark) registration(i int) json.RawMessage {
	return fmt.Appendf(nil, `{"name":%q,"host":"127.0.0.1","port":9,"protocol":"ws","description":"A backend of a benchmark","namespace":%q}`,
		b.name(i), strings.TrimSuffix(b.prefix, "-"))
}

// register registers all backends. When it returns, nothing of it is under way.
func (b *benchmark) register(ctx context.Context) error {
	return each(ctx, b.Backends, func(i int) error {
		if err := b.write(ctx, "registry.register", b.registration(i)); err != nil {
			return fmt.Errorf("registering %s: %w", b.name(i), err)
		}
		return nil
	})
}

// remove deletes what the registry lists of the backends: so nothing is left of
// a preparation that was interrupted either.
func (b *benchmark) remove(ctx context.Context) error {
	all, err := b.hubs.backends(ctx, b.first, map[string]any{"limit": 1000, "namespace": strings.TrimSuffix(b.prefix, "-")})
	// Not every registry knows the filter.
	all = slices.DeleteFunc(all, func(entry *backend) bool { return !strings.HasPrefix(entry.name(), b.prefix) })
	if err == nil {
		err = each(ctx, len(all), func(i int) error {
			return b.write(ctx, "registry.delete", map[string]string{"name": all[i].name()})
		})
	}
	if err != nil {
		return fmt.Errorf("removing the backends %s*: %w", b.prefix, err)
	}
	return nil
}

// write makes a call to its end, even if ctx is done: a write that is given up
// might take effect after the backends were removed.
func (b *benchmark) write(ctx context.Context, method string, params any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
	defer cancel()
	return callToEnd(ctx, b.first.Client, method, params)
}

// each calls do with the numbers below n, several at once, until one fails or
// ctx is done, and waits for all that it began.
func each(ctx context.Context, n int, do func(i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(writers, n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					stop(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
