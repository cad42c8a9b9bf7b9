// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// EventKind says what has happened in a registry.
type EventKind string

// The kinds of events.
const (
	EventListed       EventKind = "backends"             // Backends are all that there are; what was known before is void
	EventRegistered   EventKind = "backend_registered"   // Backend is new, or active again, or elsewhere
	EventUpdated      EventKind = "backend_updated"      // Backend has changed, or was seen
	EventDeregistered EventKind = "backend_deregistered" // the one of that Name is inactive now
	EventDeleted      EventKind = "backend_deleted"      // the one of that Name is gone
	EventResumed      EventKind = "resumed"              // after an error: all that was missed has been told
)

// Event is a change of a registry, or all that is in it.
type Event struct {
	Kind     EventKind
	Name     string    // of the entry; empty for EventListed and EventResumed
	Backend  Backend   // the entry, of EventRegistered and EventUpdated
	Backends []Backend // of EventListed, the newest first
	Revision int64     // of the registry, after it
}

// ErrNoWatch says that the registry can't be watched: it is not ours, does not
// let us, or has more than can be listed.
var ErrNoWatch = errors.New("the registry can't be watched")

// Watch tells what happens in the registry at registryURL: first EventListed,
// then every change in order, none twice.
//
// When the registry is lost, the range yields an error, once, and goes on: it
// waits until the registry is back, as long as ctx allows. Then the missed
// changes follow, and EventResumed; or EventListed, where those are not kept
// any more or the registry was restarted. The range ends when it is broken
// off, when ctx is done (without an error), or with an error: a [*client.DialError]
// for an address that makes no sense, or ErrNoWatch.
func Watch(ctx context.Context, registryURL string, options ...client.Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := checkURL(registryURL); err != nil {
			yield(Event{}, err)
			return
		}
		ctx, breakOff := context.WithCancel(ctx)
		defer breakOff()
		down := false
		tell := func(e Event, err error) {
			if ctx.Err() == nil && !yield(e, err) {
				breakOff()
			}
		}
		f := follower{
			url: registryURL, settings: newSettings(options),
			up: func(*registry) {},
			down: func(err error, _ bool) {
				if !down {
					down = true
					tell(Event{}, err)
				}
			},
			event: func(e Event) error {
				if e.Kind == EventListed || e.Kind == EventResumed {
					down = false
				}
				tell(e, nil)
				return ctx.Err()
			},
		}
		if err := f.run(ctx); err != nil {
			tell(Event{}, err)
		}
	}
}

// follower watches a registry through one connection after the other.
type follower struct {
	url      string
	settings *settings

	up    func(c *registry)               // there is a connection
	down  func(err error, connected bool) // it was lost, or there is none
	event func(e Event) error             // its error ends the session
	// blind is told that the registry that up has told of can't be watched;
	// its connection is kept. Nil makes that the end.
	blind func(err error)

	revision int64     // the last one that was told
	heard    time.Time // a moment at which it was the registry's; zero for never
}

// run follows the registry until ctx is done, or until it can't be.
func (f *follower) run(ctx context.Context) error {
	pause := f.settings.backoff()
	for ctx.Err() == nil {
		begun := time.Now()
		connected, err := f.session(ctx)
		if errors.Is(err, ErrNoWatch) {
			return err
		}
		pause.Wait(ctx, time.Since(begun), connected)
	}
	return nil
}

// session follows the registry through one connection, until it is lost.
func (f *follower) session(ctx context.Context) (connected bool, err error) {
	c, err := f.settings.dial(ctx, nil, f.url)
	if err != nil {
		if ctx.Err() == nil {
			f.down(err, false)
		}
		return false, err
	}
	defer c.Close()
	f.up(c)
	err = f.follow(ctx, c)
	switch {
	case ctx.Err() != nil:
		return true, nil
	case !errors.Is(err, ErrNoWatch):
	case f.blind == nil:
		return true, err
	default:
		f.heard = time.Time{}
		f.blind(err)
		select {
		case <-c.ended:
			err = c.lost
		case <-ctx.Done():
			return true, nil
		}
	}
	f.down(err, true)
	return true, err
}

// follow watches, from where it was left if that can be, and returns why it
// can't go on.
func (f *follower) follow(ctx context.Context, c *registry) error {
	reached, err := f.reached(ctx, c)
	if err != nil {
		return err
	}
	if reached >= 0 {
		resumable, err := f.watch(ctx, c, map[string]any{"after": f.revision}, reached)
		if resumable {
			return err
		}
	}
	_, err = f.watch(ctx, c, map[string]any{}, 0)
	return err
}

// reached returns the revision that the registry has reached, if it is the one
// whose revision is known; else -1, and it has to be listed again.
//
// A registry that was restarted may have another database, or an older one,
// with revisions of the same numbers. So only one that has been up since it
// was last heard can be resumed from.
func (f *follower) reached(ctx context.Context, c *registry) (int64, error) {
	if f.heard.IsZero() {
		return -1, nil
	}
	a, err := c.ask(ctx, "status", nil, "status", client.Idempotent())
	switch {
	case refused(err):
		return -1, nil
	case err != nil:
		return -1, err
	case time.Duration(a.UptimeSeconds)*time.Second < time.Since(f.heard) || a.Revision < f.revision:
		return -1, nil
	}
	return a.Revision, nil
}

// watch calls watch and tells its events, from a list on, or after a revision
// until reached, where it says so, and on. It ends with an error, always. One
// that can't resume says that only.
func (f *follower) watch(ctx context.Context, c *registry, params map[string]any, reached int64) (resumable bool, err error) {
	_, resuming := params["after"]
	told := false // something has come
	if resuming && f.revision >= reached {
		if err := f.event(Event{Kind: EventResumed, Revision: f.revision}); err != nil {
			return true, err
		}
		resuming = false
	}
	for item, err := range c.Call(ctx, "registry.watch", params) {
		var answered *client.Error
		switch {
		case errors.As(err, &answered) && answered.Recoverable:
			continue
		case neverWatched(err):
			return true, fmt.Errorf("%w: %w", ErrNoWatch, err)
		case err != nil:
			return true, err
		case item.Kind != plugin.KindData:
			continue
		}
		content, _ := item.Content.(json.RawMessage)
		e, err := readEvent(content)
		switch {
		case err != nil && params["after"] != nil && !told:
			return false, err
		case err != nil:
			return true, err
		}
		told = true
		if e.Kind == "" {
			continue // of a later version
		}
		f.revision, f.heard = e.Revision, time.Now()
		err = f.event(e)
		if e.Kind == EventListed {
			resuming = false
		} else if err == nil && resuming && f.revision >= reached {
			err = f.event(Event{Kind: EventResumed, Revision: f.revision})
			resuming = false
		}
		if err != nil {
			return true, err
		}
	}
	return true, protocolError("registry.watch has ended")
}

// neverWatched tells that to ask again would not help.
func neverWatched(err error) bool {
	var coded interface{ ErrorCode() int }
	if errors.As(err, &coded) {
		switch coded.ErrorCode() {
		case plugin.CodeInvalidParams, plugin.CodeUnauthenticated, plugin.CodeForbidden:
			return true
		}
	}
	return unknownMethod(err) || errors.Is(err, client.ErrTooLarge)
}

// mostBackends bounds how many entries a list, and a cache, may have.
const mostBackends = 1 << 16

// readEvent reads what watch yields. What is of no known kind is an event of
// none.
func readEvent(content []byte) (Event, error) {
	a, err := readAnswer(content)
	if err != nil {
		return Event{}, fmt.Errorf("registry.watch: %w", err)
	}
	e := Event{Kind: EventKind(a.Type), Name: a.Name, Revision: a.Revision}
	switch e.Kind {
	case "error":
		return Event{}, &refusal{"registry.watch", a.Message}
	case EventListed:
		if len(a.Backends) > mostBackends {
			return Event{}, fmt.Errorf("%w: it has %d entries", ErrNoWatch, len(a.Backends))
		}
		for _, b := range a.Backends {
			if b.usable() {
				e.Backends = append(e.Backends, b)
			}
		}
	case EventRegistered, EventUpdated:
		if a.Backend == nil || !a.Backend.usable() {
			e.Kind = ""
			break
		}
		e.Name, e.Backend = a.Backend.Name, *a.Backend
	case EventDeregistered, EventDeleted:
	default:
		e.Kind = ""
	}
	return e, nil
}
