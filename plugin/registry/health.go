// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// Health is how backends are watched.
type Health struct {
	// Probe asks the hub at a URL ("ws://127.0.0.1:4444") for its name. It
	// returns an error where there is no answer before ctx is done. Nil turns
	// health and discovery off.
	Probe func(ctx context.Context, url string) (name string, err error)
	// Interval is the time between two rounds, in which every entry is probed
	// once; 0 turns health off.
	Interval time.Duration
	// Timeout is how long one probe may take.
	Timeout time.Duration
}

// HealthStatus says how a backend was when it was probed.
type HealthStatus string

var _ plugin.Enumerated = HealthStatus("")

// Enum lists the statuses.
func (HealthStatus) Enum() []plugin.Choice {
	return []plugin.Choice{
		{Value: string(statusUnknown), Description: "Not probed yet"},
		{Value: string(statusPassing), Description: "It answers, under its name"},
		{Value: string(statusWarning), Description: "It failed lately, or it is flapping"},
		{Value: string(statusCritical), Description: "It failed three times in a row, or answers under another name"},
	}
}

// EnumDescription says what the enumeration is.
func (HealthStatus) EnumDescription() string { return "How a backend was when it was probed" }

// The statuses.
const (
	statusUnknown  HealthStatus = "unknown"  // not probed yet
	statusPassing  HealthStatus = "passing"  // it answers, under its name
	statusWarning  HealthStatus = "warning"  // it failed lately, or it is flapping
	statusCritical HealthStatus = "critical" // it failed three times in a row, or answers under another name
)

const (
	// mostFailures in a row deactivate an entry.
	mostFailures = 3
	// An entry whose last results changed so often between good and bad is
	// flapping.
	flapChanges = 5
	flapResults = 16
	// When more than a third of the entries fail in one round, and at least
	// so many, the fault is taken to be ours.
	leastMassFailures = 3
	// At least so many probes run at once, and at most.
	leastProbes, mostProbes = 64, 2048
)

// condition is what the probes of one entry have found. It is never changed,
// only replaced.
type condition struct {
	address  string // what was probed; another address begins anew
	status   HealthStatus
	failures int // in a row
	reason   string
	latency  time.Duration
	seen     int64  // when it last answered, Unix seconds
	results  uint16 // the last ones, the newest in the lowest bit, set for bad
	probes   int    // how many of the results there are
}

func (c *condition) flapping() bool {
	if c.probes < 2 {
		return false
	}
	pairs := uint16(1)<<(c.probes-1) - 1
	return bits.OnesCount16((c.results^c.results>>1)&pairs) >= flapChanges
}

// misnamed is the error of an entry whose hub answers under another name.
type misnamed struct{ answered string }

func (m misnamed) Error() string { return fmt.Sprintf("answers under the name %q", m.answered) }

// next is the condition after one more probe.
func (c *condition) next(address string, err error, latency time.Duration, now int64) *condition {
	n := &condition{address: address}
	if c != nil && c.address == address {
		*n = *c
	}
	n.results <<= 1
	n.probes = min(n.probes+1, flapResults)
	n.latency = latency
	if err == nil {
		n.status, n.failures, n.reason, n.seen = statusPassing, 0, "", now
	} else {
		n.results |= 1
		n.failures++
		n.status, n.reason = statusWarning, plain(err)
		if n.failures >= mostFailures || errors.As(err, &misnamed{}) {
			n.status = statusCritical
		}
	}
	if n.status == statusPassing && n.flapping() {
		n.status = statusWarning
	}
	return n
}

// excused is the condition after a probe whose failure is our own: it says
// nothing about the backend, but shows.
func (c *condition) excused(address string, err error) *condition {
	n := &condition{address: address}
	if c != nil && c.address == address {
		*n = *c
	}
	n.status, n.reason = statusWarning, plain(err)
	return n
}

// plain words an error for everybody who lists: what a hub has answered may be
// long, and made to be harmful to those who look at it.
func plain(err error) string {
	const most = 200
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, err.Error())
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// local tells that a probe failed for want of something here, which says
// nothing about the backend.
func local(err error) bool {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL, syscall.ENETDOWN} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// probed is the outcome of one probe.
type probed struct {
	entry   *entry
	address string
	err     error
	latency time.Duration
}

// watchHealth probes everything, now and in every round, until ctx is done.
func (r *Registry) watchHealth(ctx context.Context) {
	for {
		r.discover(ctx)
		if r.health.Interval == 0 {
			return
		}
		r.round(ctx)
		// The jitter keeps registries from probing in step.
		jitter := 0.9 + 0.2*rand.Float64() // #nosec G404 -- it spreads probes, and is no secret
		select {
		case <-time.After(time.Duration(jitter * float64(r.health.Interval))):
		case <-ctx.Done():
			return
		}
	}
}

// round probes every entry once and applies what was found as one change.
func (r *Registry) round(ctx context.Context) {
	entries, _ := r.view.all()
	outcomes := make([]probed, len(entries))
	r.probeAll(ctx, len(entries), func(ctx context.Context, i int) {
		outcomes[i] = r.probe(ctx, entries[i])
	})
	if ctx.Err() != nil {
		return
	}
	r.judge(ctx, outcomes)
}

// probeAll runs probe for the numbers below n, a bounded number at once. When
// n grows the bound does, so that a round of silent backends ends in time.
func (r *Registry) probeAll(ctx context.Context, n int, probe func(ctx context.Context, i int)) {
	atOnce := leastProbes
	if r.health.Interval > 0 {
		atOnce = int(1.5*float64(n)*float64(r.health.Timeout)/float64(r.health.Interval)) + 1
	}
	atOnce = min(max(atOnce, leastProbes), mostProbes, n)
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := range numbers {
				probing, cancel := context.WithTimeout(ctx, r.health.Timeout)
				probe(probing, i)
				cancel()
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case numbers <- i:
		case <-ctx.Done():
		}
	}
	close(numbers)
	workers.Wait()
}

// addressOf is the URL of a backend.
func addressOf(b storage.Backend) string {
	return b.Protocol + "://" + net.JoinHostPort(b.Host, strconv.Itoa(b.Port))
}

func (r *Registry) probe(ctx context.Context, e *entry) probed {
	p := probed{entry: e, address: addressOf(e.backend)}
	begin := time.Now()
	name, err := r.health.Probe(ctx, p.address)
	p.latency, p.err = time.Since(begin), err
	if err == nil && name != e.backend.Name {
		p.err = misnamed{name}
	}
	return p
}

// judge applies the outcomes of a round: conditions to the view, and what
// follows from them to the store.
func (r *Registry) judge(ctx context.Context, outcomes []probed) {
	ours, failed, active := massFailure(outcomes)
	if ours != r.cutOff { // said once
		r.cutOff = ours
		if ours {
			r.log.Error("too many backends fail at once: it is our own network that is down, and nothing is deactivated",
				"failed", failed, "active", active)
		} else {
			r.log.Info("no longer do too many backends fail at once", "failed", failed, "active", active)
		}
	}
	now := time.Now().Unix()
	conditions := make([]*condition, len(outcomes))
	var verdicts []storage.Write
	for i, p := range outcomes {
		after := p.entry.condition.next(p.address, p.err, p.latency, now)
		if p.err != nil && (ours || local(p.err)) {
			after = p.entry.condition.excused(p.address, p.err)
		}
		conditions[i] = after
		if w, ok := verdict(p.entry.backend, after, now); ok {
			verdicts = append(verdicts, w)
			r.log.Info("health changes a backend", "backend", w.Backend.Name, "address", p.address,
				"active", w.Backend.Active, "why", after.reason)
		}
	}
	r.view.setConditions(outcomes, conditions)
	if err := r.pass(ctx, verdicts); err != nil && ctx.Err() == nil {
		r.log.Error("what health found could not be stored", "error", err)
	}
}

// pass stores verdicts as one change. One on a backend that somebody has
// changed meanwhile is void: the next round looks again.
func (r *Registry) pass(ctx context.Context, verdicts []storage.Write) error {
	if len(verdicts) == 0 {
		return nil
	}
	_, _, err := r.apply(ctx, verdicts)
	switch {
	case !errors.Is(err, storage.ErrConflict):
		return err
	case len(verdicts) == 1:
		return nil
	}
	half := len(verdicts) / 2 // the others are valid still
	return errors.Join(r.pass(ctx, verdicts[:half]), r.pass(ctx, verdicts[half:]))
}

// massFailure tells whether so many active backends failed that the fault is
// ours. One that answers, under whatever name, was reached.
func massFailure(outcomes []probed) (ours bool, failed, active int) {
	for _, p := range outcomes {
		if !p.entry.backend.Active {
			continue
		}
		active++
		if p.err != nil && !errors.As(p.err, &misnamed{}) {
			failed++
		}
	}
	return failed >= leastMassFailures && 3*failed > active, failed, active
}

// verdict tells what to write for an entry in its new condition. What was
// deactivated for another reason than its health stays so, though it answers.
func verdict(b storage.Backend, c *condition, now int64) (storage.Write, bool) {
	w := storage.Write{Backend: b, IfUnchanged: true}
	w.Backend.UpdatedAt = now
	switch {
	case b.Active && c.status == statusCritical:
		w.Backend.Active, w.Backend.Reason, w.Cause = false, storage.ReasonUnhealthy, causeDeregistered
	case !b.Active && c.status == statusPassing && (b.Reason == storage.ReasonUnhealthy || b.Reason == ""):
		w.Backend.Active, w.Backend.Reason, w.Cause = true, "", causeRegistered
	default:
		return w, false
	}
	w.Backend.LastSeen = max(b.LastSeen, c.seen)
	return w, true
}
