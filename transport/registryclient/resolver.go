// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/plexus-go/plexus/transport/client"
)

// Why a name is not resolved.
var (
	// ErrUnknown: the registry has no entry of that name.
	ErrUnknown = errors.New("no such backend")
	// ErrInactive: it has one, but the hub was deregistered, or does not answer.
	ErrInactive = errors.New("the backend is inactive")
)

// Resolution is what a name leads to. Its HubName is what the methods there begin
// with: the name may be an alias.
type Resolution struct {
	Backend
	// Stale reports whether the registry can't be reached: this is what was
	// last known, and may be obsolete.
	Stale bool
}

// Resolver looks names up in a registry, and remembers what it has seen there.
// Make it with [NewResolver]; its methods may be called at once by any number
// of goroutines.
type Resolver struct {
	locator *locator
	cancel  context.CancelFunc
	ended   chan struct{} // closed when no goroutine is left
	logged  EventKind     // the state that the follower has reported last

	mu        sync.Mutex
	cache     map[string]Backend
	current   bool          // a watch keeps the cache current, as long as the registry is there
	proved    time.Time     // when the cache was current last, since it is not
	gone      time.Time     // when the last connection was proved last, while there is none
	client    *registry     // nil while there is no connection
	err       error         // why there is none; nil where that is not known yet
	unwatched bool          // the registry can be asked, but not watched
	changed   chan struct{} // closed, and replaced, when any of these changes
}

var _ io.Closer = (*Resolver)(nil)

// grace is how long after the last proof that the registry is there the cache is
// trusted: long enough for a connection that is lost and made again.
const grace = 2 * time.Second

// NewResolver makes a Resolver of the registry at registryURL, which may be
// empty as that of [Register], and begins to watch it. The registry need not be
// there yet.
//
// The error is ErrNoRegistry, or a [*client.DialError] for an invalid address.
func NewResolver(registryURL string, options ...client.Option) (*Resolver, error) {
	l, err := newLocator(registryURL, os.Getenv, options)
	if err != nil {
		return nil, err
	}
	r := &Resolver{
		locator: l, ended: make(chan struct{}),
		cache: map[string]Backend{}, changed: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	f := follower{locator: l, report: r.report}
	go func() {
		defer close(r.ended)
		f.run(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.err = client.ErrClosed
		close(r.changed)
	}()
	return r, nil
}

// Close ends the Resolver, and pending Resolves with client.ErrClosed. When it
// returns, within about a second, no goroutine of it is left. It always returns
// nil.
func (r *Resolver) Close() error {
	r.cancel()
	<-r.ended
	return nil
}

// Resolve looks up the hub of that name. The answer comes from a cache while a
// watch keeps it current, and for two seconds after the registry was last known to
// be there: when it got the last ping that it has answered. Later, or without a
// watch, the registry is asked. If it can't be reached, or is silent for longer than
// that, what was last known is returned, as Stale.
//
// The error is ErrUnknown, or ErrInactive, with which the entry is returned
// all the same; else it says why the registry could not be asked, as that of
// [client.Client.Call] or [client.Dial] does, or client.ErrClosed.
func (r *Resolver) Resolve(ctx context.Context, name string) (Resolution, error) {
	b, stale, err := r.find(ctx, norm.NFC.String(name))
	switch {
	case err != nil:
		return Resolution{}, fmt.Errorf("resolving %q: %w", name, err)
	case b == nil:
		return Resolution{}, fmt.Errorf("resolving %q: %w", name, ErrUnknown)
	case !b.Active:
		err := ErrInactive
		if b.InactiveReason != "" {
			err = fmt.Errorf("%w: %s", err, b.InactiveReason)
		}
		return Resolution{*b, stale}, fmt.Errorf("resolving %q: %w", name, err)
	}
	return Resolution{*b, stale}, nil
}

// find returns the entry of that name; nil where there is none.
func (r *Resolver) find(ctx context.Context, name string) (b *Backend, stale bool, err error) {
	for {
		r.mu.Lock()
		if known, ok := r.cache[name]; ok {
			b = &known
		}
		proved, answers, silent := r.proved, false, time.Since(r.gone)
		if r.client != nil {
			at, pong := r.client.proof()
			if silent = time.Since(at); r.current {
				proved, answers = at, pong
			}
		}
		c, err, changed := r.client, r.err, r.changed
		r.mu.Unlock()
		var expired <-chan time.Time
		switch {
		case errors.Is(err, client.ErrClosed):
			return nil, false, client.ErrClosed
		case time.Since(proved) < grace:
			return b, false, nil
		case b != nil && silent >= grace && (c == nil || answers):
			return b, true, nil
		case b != nil && c == nil && err == nil:
			expired = time.After(grace - silent) // it may be back in a moment
		case c != nil:
			asking, cancel := ctx, context.CancelFunc(func() {})
			if b != nil {
				asking, cancel = context.WithTimeout(ctx, grace)
			}
			asked, err := c.entry(asking, name)
			cancel()
			if err == nil {
				r.remember(c, name, asked)
				return asked, false, nil
			}
			if ctx.Err() != nil || refused(err) {
				return nil, false, err
			}
			if errors.Is(err, context.DeadlineExceeded) && b != nil {
				return b, true, nil
			}
			if !errors.Is(err, client.ErrLost) && !errors.Is(err, client.ErrClosed) {
				return nil, false, err
			}
			// The follower will notice.
		case err != nil && b != nil:
			return b, true, nil
		case err != nil:
			return nil, false, err
		}
		b = nil
		select {
		case <-changed:
		case <-expired:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// remember keeps what a registry that can't be watched answered, for when it
// can't be reached.
func (r *Resolver) remember(c *registry, name string, b *Backend) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.unwatched || r.client != c {
		return // the watch is more recent
	}
	if b == nil {
		delete(r.cache, name)
	} else if len(r.cache) < maxBackends {
		r.cache[name] = *b
	}
}

// report applies what the follower reports, and wakes those who wait for a
// change. A new state is logged.
func (r *Resolver) report(c *registry, e Event, cause error) error {
	r.mu.Lock()
	err := r.apply(c, e, cause)
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	state := e.Kind
	if state == EventResumed {
		state = EventListed
	}
	if state == r.logged {
		return err
	}
	log := r.locator.logger()
	switch state {
	case eventFailed:
		log.Warn("the registry can't be reached; names resolve to what was last known", "error", cause)
	case eventUnwatched:
		log.Info("the registry can't be watched; it is asked for every name", "error", cause)
	case EventListed:
		log.Info("the registry is watched")
	default:
		return err
	}
	r.logged = state
	return err
}

// apply changes the cache. The lock is held.
func (r *Resolver) apply(c *registry, e Event, cause error) error {
	switch e.Kind {
	case eventConnected:
		r.client, r.err, r.unwatched = c, nil, false
	case eventUnwatched:
		r.distrust()
		r.unwatched = true
	case eventLost:
		r.distrust()
		r.gone, _ = r.client.proof()
		r.client, r.unwatched = nil, false
	case eventFailed:
		r.err = cause
	case EventListed:
		r.cache, r.current = map[string]Backend{}, true
		for _, b := range e.Backends {
			r.cache[b.Name] = b
		}
	case EventResumed:
		r.current = true
	case EventRegistered, EventUpdated:
		if _, known := r.cache[e.Name]; !known && len(r.cache) >= maxBackends {
			return fmt.Errorf("%w: it has more than %d entries", ErrNoWatch, maxBackends)
		}
		r.cache[e.Name] = e.Backend
	case EventDeregistered:
		if b, ok := r.cache[e.Name]; ok {
			b.Active, b.InactiveReason = false, e.Reason
			r.cache[e.Name] = b
		}
	case EventDeleted:
		delete(r.cache, e.Name)
	}
	return nil
}

// distrust notes that the cache is not kept current any more. The lock is held.
func (r *Resolver) distrust() {
	if r.current {
		r.current = false
		r.proved, _ = r.client.proof()
	}
}
