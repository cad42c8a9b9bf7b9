// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// lifecycle is an activation with its children from their start to their end,
// and the calls that run in between.
type lifecycle struct {
	scope   *run // the context of Start
	cancel  context.CancelFunc
	started []*plugin.Tree // in the order in which they were

	count   atomic.Int64  // calls that run; less by ending once no call may begin
	drained chan struct{} // closed when the last call has ended after that
	drain   sync.Once     // closes drained

	mu       sync.Mutex
	running  map[*run]struct{} // calls that can be cancelled
	removed  bool              // they have been cancelled
	children map[childKey]*mount
}

const ending = 1 << 62

func newLifecycle(h *Hub, namespace string) *lifecycle {
	ctx, cancel := context.WithCancel(plugin.WithCaller(context.Background(), plugin.Local()))
	// Like a call, but nothing takes its items.
	scope := &run{Context: ctx, route: &Route{hub: h, path: namespace}}
	return &lifecycle{
		scope: scope, cancel: cancel, drained: make(chan struct{}),
		running: map[*run]struct{}{}, children: map[childKey]*mount{},
	}
}

// start starts an activation and then its children. It stops at the first
// that fails.
func (l *lifecycle) start(t *plugin.Tree) error {
	if s, ok := t.Activation.(plugin.Starter); ok {
		if err := l.scope.guard(func() error { return s.Start(l.scope) }); err != nil {
			return fmt.Errorf("start %s: %w", t.Definition.Namespace, err)
		}
	}
	l.started = append(l.started, t)
	for _, child := range t.Children {
		if err := l.start(child); err != nil {
			return err
		}
	}
	return nil
}

// close ends what was started, the last first.
func (l *lifecycle) close() error {
	l.cancel()
	var failures []error
	for _, t := range slices.Backward(l.started) {
		if c, ok := t.Activation.(io.Closer); ok {
			if err := l.scope.guard(c.Close); err != nil {
				failures = append(failures, fmt.Errorf("close %s: %w", t.Definition.Namespace, err))
			}
		}
	}
	return errors.Join(failures...)
}

// enter lets a call begin, unless the activation is being removed.
func (l *lifecycle) enter(r *run) bool {
	if l.count.Add(1) <= 0 {
		l.countDown()
		return false
	}
	if r.cancel != nil {
		l.mu.Lock()
		l.running[r] = struct{}{}
		if l.removed { // it began just before the others were cancelled
			r.cancel(errRemoved)
		}
		l.mu.Unlock()
	}
	return true
}

func (l *lifecycle) leave(r *run) {
	if r.cancel != nil {
		l.mu.Lock()
		delete(l.running, r)
		l.mu.Unlock()
	}
	l.countDown()
}

func (l *lifecycle) countDown() {
	if l.count.Add(-1) == -ending {
		l.drain.Do(func() { close(l.drained) })
	}
}

// end waits until every call has ended, cancels those that run longer than the
// limit, and closes the activation.
func (l *lifecycle) end(namespace string, limit time.Duration) error {
	l.count.Add(1 - ending) // one more, so that countDown sees the end if no call runs
	l.countDown()
	if !l.wait(limit) {
		l.mu.Lock()
		l.removed = true
		for r := range l.running {
			r.cancel(errRemoved)
		}
		l.mu.Unlock()
	}
	var stuck error
	if !l.wait(time.Second) {
		stuck = fmt.Errorf("%s: %d calls do not end though they are cancelled", namespace, l.count.Load()+ending)
	}
	return errors.Join(stuck, l.close())
}

func (l *lifecycle) wait(limit time.Duration) bool {
	select {
	case <-l.drained:
		return true
	case <-time.After(limit):
		return false
	}
}
