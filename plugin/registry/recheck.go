// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"sync"
	"time"
)

// A critical entry that registers again where it was may be a new process, or one that
// probes still can't reach. So it stays critical, and is probed at once, and then
// for some time, as it may register before it listens.
const (
	recheckTimes = 10
	recheckPause = time.Second
)

// rechecks are the entries that are probed between two rounds.
type rechecks struct {
	mu    sync.Mutex
	left  map[string]int // how often, by name
	timer *time.Timer
}

// want has an entry probed at once.
func (c *rechecks) want(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left[name] == 0 {
		c.timer.Reset(0)
	}
	c.left[name] = recheckTimes
}

// recheck probes the entries that want it, and keeps those that are critical still.
func (r *Registry) recheck(ctx context.Context, down outage) {
	c := &r.rechecks
	var entries []*entry
	c.mu.Lock()
	for name := range c.left {
		e := r.view.get(name)
		if c.left[name]--; c.left[name] < 0 || e == nil || e.info.Health != statusCritical {
			delete(c.left, name)
			continue
		}
		entries = append(entries, e)
	}
	if len(c.left) > 0 {
		c.timer.Reset(recheckPause)
	}
	c.mu.Unlock()
	if outcomes, ok := r.probeEntries(ctx, entries); ok {
		r.conclude(ctx, outcomes, down)
	}
}
