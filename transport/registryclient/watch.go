// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/plexus-go/plexus/transport/client"
)

// EventKind says what happened in a registry.
type EventKind string

// The kinds of events.
const (
	EventListed       EventKind = "backends"             // Backends are all entries; what was known before is obsolete
	EventRegistered   EventKind = "backend_registered"   // Backend is new, or active again, or elsewhere
	EventUpdated      EventKind = "backend_updated"      // Backend has changed, or was seen
	EventDeregistered EventKind = "backend_deregistered" // the one of that Name is inactive now
	EventDeleted      EventKind = "backend_deleted"      // the one of that Name is gone
	EventResumed      EventKind = "resumed"              // after an error: no change was lost
)

// Event is a change of a registry, or all that is in it.
type Event struct {
	Kind     EventKind
	Name     string    // of the entry; empty for EventListed and EventResumed
	Backend  Backend   // the entry, of EventRegistered and EventUpdated
	Backends []Backend // of EventListed, the newest first
	Reason   string    // why the entry is inactive now, of EventDeregistered; empty where that is not said
	Revision int64     // of the registry: everything up to it was yielded with this event
	history  string    // where the revision counts; empty where the registry does not say
}

// ErrNoWatch means that the registry can't be watched: it is of another kind,
// does not allow it, or has more entries than can be listed.
var ErrNoWatch = errors.New("the registry can't be watched")

// Watch follows the registry at registryURL, which may be empty as that of
// [Register]: it yields EventListed first, then every change in order. A change
// of several entries is several events; where the registry is lost between
// them, all of them follow once more.
//
// When the registry is lost, the range yields an error, once, and goes on: it
// waits until the registry is back, as long as ctx allows. Then the missed
// changes follow, and EventResumed; or EventListed, where those are not kept
// any more or the registry has another history: that of a copy, for example. The range ends at a break, when ctx
// is done (without an error), or with an error: a [*client.DialError] for an
// invalid address, ErrNoRegistry or ErrNoWatch.
func Watch(ctx context.Context, registryURL string, options ...client.Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		l, err := newLocator(registryURL, os.Getenv, options)
		if err != nil {
			yield(Event{}, err)
			return
		}
		ctx, breakOff := context.WithCancel(ctx)
		defer breakOff()
		down := false
		send := func(e Event, err error) {
			if ctx.Err() == nil && !yield(e, err) {
				breakOff()
			}
		}
		f := follower{locator: l, report: func(_ *registry, e Event, err error) error {
			switch e.Kind {
			case eventConnected:
				return nil
			case eventUnwatched:
				send(Event{}, err)
				return err
			case eventLost, eventFailed:
				if !down {
					down = true
					send(Event{}, err)
				}
				return nil
			case EventListed, EventResumed:
				down = false
			}
			send(e, nil)
			return ctx.Err()
		}}
		f.run(ctx)
	}
}

// maxBackends bounds how many entries a list, and a cache, may have.
const maxBackends = 1 << 16

// readEvent decodes what registry.watch yields. The kind of an unknown event is
// empty.
func readEvent(content json.RawMessage) (Event, error) {
	a, err := readAnswer("registry.watch", content)
	if err != nil {
		return Event{}, err
	}
	e := Event{Kind: EventKind(a.Type), Name: a.Name, Reason: a.Reason, Revision: a.Revision, history: a.History}
	switch e.Kind {
	case EventListed:
		if len(a.Backends) > maxBackends {
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
