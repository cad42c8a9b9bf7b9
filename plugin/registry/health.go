// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/storage"
)

// Health is how the health of backends is checked.
type Health struct {
	// Probe asks the hub at a URL ("ws://127.0.0.1:4444") for its name, and
	// returns before long when ctx is done. Its error may be ErrNoAnswer or
	// ErrNotForUs. Nil turns health and discovery off.
	Probe func(ctx context.Context, url string) (name string, err error)
	// Interval is the time between two rounds, in which every entry is probed
	// once; one that is inactive ever more seldom. 0 turns health off.
	Interval time.Duration
	// Timeout is how long one probe may take, above 0.
	Timeout time.Duration
}

// What a probe may say when it has no name. Any other error is an answer of
// something that is not the hub: a refused connection, a certificate, an HTTP
// status. Three of those in a row make an entry critical.
var (
	// ErrNoAnswer: nothing was heard, neither of the hub nor of its machine. If all
	// fall silent at once, the fault is our own network's.
	ErrNoAnswer = errors.New("no answer")
	// ErrNotForUs: the hub is alive, and refuses this caller, or refuses any at the
	// moment.
	ErrNotForUs = errors.New("it is alive, but not for us")
)

// The bounds of how many probes run at once.
const minProbes, maxProbes = 64, 2048

// probed is the outcome of one probe.
type probed struct {
	entry   *entry
	address string
	err     error
	latency time.Duration
	name    string // that was answered, where it is right
}

// probes reports whether entries are probed.
func (h *Health) probes() bool { return h.Interval > 0 && h.Probe != nil }

// forgetHealth takes back what probes of an earlier run have found, where there are
// none in this run.
func (r *Registry) forgetHealth(ctx context.Context) error {
	var writes []storage.Write
	entries, _ := r.view.all()
	for _, e := range entries {
		if w := follows(e.backend, &condition{status: statusUnknown}, time.Now().Unix()); w.Backend.Inactive != e.backend.Inactive {
			writes = append(writes, w)
		}
	}
	return r.applyUnchanged(ctx, writes)
}

// watchHealth discovers and probes, now and in every round, until ctx is done.
func (r *Registry) watchHealth(ctx context.Context) {
	down := outage(0)
	for {
		r.discover(ctx)
		if !r.health.probes() {
			return
		}
		down = r.round(ctx, down)
		// The jitter keeps registries from probing at the same moments.
		jitter := 0.9 + 0.2*rand.Float64() // #nosec G404 -- it spreads probes, and is no secret
		next := time.After(time.Duration(jitter * float64(r.health.Interval)))
		for waiting := true; waiting; {
			select {
			case <-next:
				waiting = false
			case <-r.rechecks.timer.C:
				r.recheck(ctx, down)
			case <-ctx.Done():
				return
			}
		}
	}
}

// round probes every entry that is due, and returns what of ours is down, after what
// was down in the round before.
func (r *Registry) round(ctx context.Context, before outage) (down outage) {
	entries, _ := r.view.all()
	began := time.Now()
	entries = slices.DeleteFunc(entries, func(e *entry) bool { return !e.isDue(began, r.health.Interval) })
	outcomes, ok := r.probeEntries(ctx, entries)
	if !ok {
		return before
	}
	down = outageOf(outcomes)
	switch {
	case down > before:
		r.log.Error("backends that have answered before are all silent: "+down.String()+" seems to be down, and they are not counted as failing",
			"backends", len(outcomes))
	case down == 0 && before > 0:
		r.log.Info("our own network is back")
	}
	r.down.Store(int32(down))
	r.conclude(ctx, outcomes, down)
	return down
}

// probeEntries probes each of some entries once. It reports whether it got to its
// end.
func (r *Registry) probeEntries(ctx context.Context, entries []*entry) (outcomes []probed, ok bool) {
	outcomes = make([]probed, len(entries))
	r.probeAll(ctx, len(entries), func(ctx context.Context, i int) {
		outcomes[i] = r.probe(ctx, entries[i])
	})
	return outcomes, ctx.Err() == nil
}

// conclude stores what follows from probes as one change.
func (r *Registry) conclude(ctx context.Context, outcomes []probed, down outage) {
	now := time.Now().Unix()
	conditions := make([]*condition, len(outcomes))
	var writes []storage.Write
	for i, p := range outcomes {
		c := p.entry.next(p, down.explains(p.err), now)
		conditions[i] = c
		b, w := &p.entry.backend, follows(p.entry.backend, c, now)
		if w.Backend.Inactive != b.Inactive {
			r.log.Info("health changes a backend", "backend", w.Backend.Name, "address", p.address,
				"active", w.Backend.Active(), "why", c.reason)
		}
		if w.Backend.Inactive != b.Inactive || w.Backend.AnswersAs != b.AnswersAs || p.entry.isNews(c) {
			writes = append(writes, w)
		}
	}
	r.view.setConditions(outcomes, conditions)
	if err := r.applyUnchanged(ctx, writes); err != nil && ctx.Err() == nil {
		r.log.Error("what health found could not be stored", "error", err)
	}
}

// isNews reports whether watches tell that an entry has another condition now.
func (e *entry) isNews(c *condition) bool {
	return c.status != e.info.Health || c.flapping() != e.info.Flapping
}

// probeAll calls probe for the numbers below n, a bounded number at once. When n
// grows the bound does, so that a round of silent backends ends in time.
func (r *Registry) probeAll(ctx context.Context, n int, probe func(ctx context.Context, i int)) {
	atOnce := minProbes
	if r.health.Interval > 0 {
		atOnce = int(1.5*float64(n)*float64(r.health.Timeout)/float64(r.health.Interval)) + 1
	}
	free := make(chan struct{}, min(max(atOnce, minProbes), maxProbes))
	var probes sync.WaitGroup
	defer probes.Wait()
	for i := range n {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		probes.Go(func() {
			probing, cancel := context.WithTimeout(ctx, r.health.Timeout)
			defer cancel()
			probe(probing, i)
			<-free
		})
	}
}

// addressOf is the URL of a backend.
func addressOf(b storage.Backend) string {
	return address.URL(b.Protocol, b.Host, b.Port)
}

func (r *Registry) probe(ctx context.Context, e *entry) probed {
	p := probed{entry: e, address: addressOf(e.backend)}
	begin := time.Now()
	name, err := r.health.Probe(ctx, p.address)
	p.latency, p.err = time.Since(begin), err
	switch name = storage.NormalizeName(name); {
	case err != nil:
	case name == e.backend.Name || mayBeAliasOf(name, &e.backend):
		p.name = name
	default:
		p.err = misnamed{name}
	}
	return p
}

// mayBeAliasOf reports whether b may be another name for the hub of that name: it
// has never answered under its own name, nor under a third one.
func mayBeAliasOf(name string, b *storage.Backend) bool {
	return name == b.AnswersAs || b.AnswersAs == "" && storage.ValidateName(name) == nil
}

// follows returns the write that follows from the condition of an entry: whether it
// is unhealthy, under which name it answers, and that it is there though somebody
// said that it was gone. Its lease, and what its source lists, are not changed.
func follows(b storage.Backend, c *condition, now int64) storage.Write {
	w := storage.Write{Backend: b, IfUnchanged: true, Cause: causeUpdated}
	if c.answered != "" {
		w.Backend.AnswersAs = c.answered
		w.Backend.Inactive &^= storage.ReasonDeregistered | storage.ReasonUnknown
	}
	if c.status == statusCritical {
		w.Backend.Inactive |= storage.ReasonUnhealthy
	} else {
		w.Backend.Inactive &^= storage.ReasonUnhealthy
	}
	if w.Backend.Inactive != b.Inactive {
		w.Backend.UpdatedAt, w.Backend.LastSeen = now, max(b.LastSeen, c.seen)
	}
	switch {
	case b.Active() && !w.Backend.Active():
		w.Cause = causeDeregistered
	case !b.Active() && w.Backend.Active():
		w.Cause = causeRegistered
	}
	return w
}
