// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/plexus-go/plexus/internal/load"
)

// benchFlags is the command line of bench; the tags are kong's.
type benchFlags struct {
	URL string `arg:"" name:"url" help:"The hub: a ws:// or wss:// URL."`

	Op          load.Operation `default:"mixed" placeholder:"operation" help:"What to do: get (one backend), list (a page of up to 100), ping, register (a backend that exists, again), info, or mixed (80 % get, 10 % list, 5 % ping, 5 % register)."`
	Connections int            `default:"16" placeholder:"n" help:"How many connections to open (${default})."`
	InFlight    int            `default:"8" placeholder:"n" help:"How many operations each connection has under way at most (${default})."`
	Duration    time.Duration  `default:"10s" placeholder:"time" help:"How long to measure (${default}); twice that with --baseline."`
	Warmup      time.Duration  `default:"1s" placeholder:"time" help:"How long to load before that, without counting (${default})."`
	Backends    int            `default:"1000" placeholder:"n" help:"How many backends to register for it (${default}); they are named bench-…, and deleted afterwards."`
	Rate        float64        `default:"0" placeholder:"n" help:"How many operations to send a second, over all connections. Latency then counts from when an operation was to be sent, even if it could not be. Without it, as many as come through."`
	Baseline    bool           `help:"Measure a bare WebSocket server in turns with the hub, which answers the same requests with frames of the same sizes, and compare."`
	Token       string         `placeholder:"token" help:"Credentials, sent as \"Authorization: Bearer token\". Variable: PLEXUS_TOKEN."`
	Header      []string       `sep:"none" placeholder:"name:value" help:"A header for every connection. May be repeated."`
	Cookie      []string       `sep:"none" placeholder:"name=value" help:"A cookie for every connection. May be repeated."`
	CA          string         `name:"ca" placeholder:"file" help:"Authorities, as PEM, that are trusted beside those of the system."`
	Cert        string         `placeholder:"file" help:"Certificate, as PEM, that says who we are."`
	Key         string         `placeholder:"file" help:"Its private key."`
	JSON        bool           `name:"json" help:"Print JSON; times are in nanoseconds."`
}

const benchDescription = `Measure how many operations a hub with a registry carries, and how long they take, from the request to the end of its stream.

The status is 0 if it was measured, though operations failed: they are counted. It is 1 if nothing could be measured, if it was interrupted, or if the backends could not be deleted; 2 if the command line is wrong.`

// bench loads a hub and prints what came of it. It returns the exit status: 0,
// 1 for a failure, 2 for a command line that makes no sense. As whom to connect
// may stand before its own flags, too: that is in before.
func bench(ctx context.Context, args []string, before options, getenv func(string) string, stdout, stderr io.Writer) int {
	var flags benchFlags
	helped := false
	parser, err := kong.New(&flags,
		kong.Name("plexus bench"), kong.Description(benchDescription),
		kong.Writers(stdout, stderr), kong.Exit(func(int) { helped = true }))
	if err == nil {
		_, err = parser.Parse(args)
	}
	if helped {
		return 0
	}
	options := load.Options{
		URL: flags.URL, Operation: flags.Op, Connections: flags.Connections, InFlight: flags.InFlight,
		Duration: flags.Duration, Warmup: flags.Warmup, Backends: flags.Backends, Rate: flags.Rate, Baseline: flags.Baseline,
	}
	if err == nil {
		before.certificates = certificates{cmp.Or(flags.CA, before.ca), cmp.Or(flags.Cert, before.cert), cmp.Or(flags.Key, before.key)}
		options.TLS, err = before.config(true)
	}
	if err == nil {
		options.Header, err = flags.credentials(before, getenv)
	}
	if err == nil {
		err = options.Check()
	}
	if err != nil {
		fmt.Fprintf(stderr, "plexus bench: %v (try --help)\n", err)
		return 2
	}

	report, err := load.Run(ctx, options)
	status := 0
	if err != nil {
		// One line, though several things may have failed.
		fmt.Fprintf(stderr, "plexus bench: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		status = 1
	}
	if report == nil {
		return 1
	}
	if report.Interrupted || report.Measured.Operations == 0 {
		status = 1
	}
	if flags.JSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		_, err = io.WriteString(stdout, benchText(report))
	}
	if err != nil {
		fmt.Fprintf(stderr, "plexus bench: writing the report: %v\n", err)
		return 1
	}
	return status
}

// credentials are the headers that say who we are.
func (f *benchFlags) credentials(o options, getenv func(string) string) (http.Header, error) {
	o.header = o.header.Clone()
	o.token = cmp.Or(f.Token, o.token)
	for _, header := range f.Header {
		if err := setHeader(&o, header); err != nil {
			return nil, err
		}
	}
	for _, cookie := range f.Cookie {
		if err := setCookie(&o, cookie); err != nil {
			return nil, err
		}
	}
	return o.credentials(getenv), nil
}

// benchText is the report for people.
func benchText(r *load.Report) string {
	var text strings.Builder
	way := "as many as come through"
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
	row := func(name string, perSecond float64, l load.Latency, n, failed string) {
		fmt.Fprintf(table, "%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name, perSecond,
			benchTime(l.P50), benchTime(l.P99), benchTime(l.P999), benchTime(l.Worst), n, failed)
	}
	rows := func(name string, result *load.Result) {
		row(name, result.PerSecond, result.Latency, fmt.Sprint(result.Operations), fmt.Sprint(result.Failed))
		for _, part := range result.ByOperation {
			row(string(part.Operation), float64(part.Latency.Count)/max(result.Seconds, 1e-9), part.Latency, fmt.Sprint(part.Latency.Count), "")
		}
	}
	rows("hub", r.Measured)
	if r.Baseline != nil {
		rows("baseline", r.Baseline)
	}
	table.Flush()
	if r.Ratio != nil {
		fmt.Fprintf(&text, "\nhub/baseline: %.2f × ops/s (median of the turns), %.2f × p50, %.2f × p99\n", r.Ratio.PerSecond, r.Ratio.P50, r.Ratio.P99)
	}
	benchErrors(&text, "hub", r.Measured)
	if r.Baseline != nil {
		benchErrors(&text, "baseline", r.Baseline)
	}
	return text.String()
}

func benchErrors(text *strings.Builder, name string, result *load.Result) {
	for _, kind := range slices.Sorted(maps.Keys(result.Errors)) {
		fmt.Fprintf(text, "%s: %d × %s\n", name, result.Errors[kind], kind)
	}
}

// benchTime writes nanoseconds with three digits or so.
func benchTime(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(time.Microsecond / 10).String()
	}
}
