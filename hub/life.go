// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// life is an activation from its start to its end, with its children, and the
// calls that run in between.
type life struct {
	ctx     context.Context // of Start
	cancel  context.CancelFunc
	started []*plugin.Tree // in the order in which they were
	found   found          // children that were found at run time

	count   atomic.Int64  // calls that run; minus ending, once no more may begin
	drained chan struct{} // closed when the last has ended after that
	drain   sync.Once     // closes it

	mu      sync.Mutex
	running map[*run]struct{} // those that can be cancelled
	removed bool              // they are
}

const ending = 1 << 62

func newLife(h *Hub, namespace string) *life {
	ctx, cancel := context.WithCancel(plugin.WithCaller(context.Background(), plugin.Local()))
	// Like a call, but of nobody: nothing takes its items.
	scope := &run{Context: ctx, route: &Route{hub: h, path: namespace}, over: true}
	return &life{ctx: scope, cancel: cancel, drained: make(chan struct{}), running: map[*run]struct{}{}}
}

// start starts an activation and then its children. If one fails, those that
// were started are closed again.
func (l *life) start(t *plugin.Tree) error {
	if err := l.startAll(t); err != nil {
		return errors.Join(err, l.close())
	}
	return nil
}

func (l *life) startAll(t *plugin.Tree) error {
	if s, ok := t.Activation.(plugin.Starter); ok {
		if err := l.startOne(s); err != nil {
			return fmt.Errorf("start %s: %w", t.Definition.Namespace, err)
		}
	}
	l.started = append(l.started, t)
	for _, child := range t.Children {
		if err := l.startAll(child); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) startOne(s plugin.Starter) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", plugin.Panicked(l.ctx, cause), cause)
		}
	}()
	return s.Start(l.ctx)
}

// close ends what was started, the last first.
func (l *life) close() error {
	l.cancel()
	var failures []error
	for i := len(l.started) - 1; i >= 0; i-- {
		if c, ok := l.started[i].Activation.(io.Closer); ok {
			if err := l.closeOne(c); err != nil {
				failures = append(failures, fmt.Errorf("close %s: %w", l.started[i].Definition.Namespace, err))
			}
		}
	}
	return errors.Join(failures...)
}

func (l *life) closeOne(c io.Closer) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", plugin.Panicked(l.ctx, cause), cause)
		}
	}()
	return c.Close()
}

// enter lets a call begin, unless the activation is being removed.
func (l *life) enter(r *run) bool {
	if l.count.Add(1) <= 0 {
		l.countDown()
		return false
	}
	if r.cancel != nil {
		l.mu.Lock()
		l.running[r] = struct{}{}
		if l.removed { // it has begun just before, and was not seen
			r.cancel(errRemoved)
		}
		l.mu.Unlock()
	}
	return true
}

func (l *life) leave(r *run) {
	if r.cancel != nil {
		l.mu.Lock()
		delete(l.running, r)
		l.mu.Unlock()
	}
	l.countDown()
}

func (l *life) countDown() {
	if l.count.Add(-1) == -ending {
		l.drain.Do(func() { close(l.drained) })
	}
}

// end waits until every call has ended, cancels those that run longer than the
// limit, and closes the activation.
func (l *life) end(namespace string, limit time.Duration) error {
	l.count.Add(1 - ending) // one more, which is taken back where it may be the last
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

func (l *life) wait(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-l.drained:
		return true
	case <-timer.C:
		return false
	}
}
