// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
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

	"github.com/plexus-go/plexus/transport/client"
)

// operation is what is asked of the hub, again and again.
type operation string

// share is how often an operation is done, of a hundred.
type share struct {
	operation
	percent int
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
			return nil, fmt.Errorf("trying %s: %w", s.operation, err)
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
