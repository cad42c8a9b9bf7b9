// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// follower watches a registry through one connection after the other.
type follower struct {
	locator *locator
	// report is called with what the registry reports, and with the events below.
	// Its error ends the connection, and for eventUnwatched also the follower.
	report func(c *registry, e Event, err error) error

	url      string    // of the registry that was watched last
	history  string    // where its revisions count; empty where it does not say
	revision int64     // the last one that was seen there
	heard    time.Time // when that was; zero where it can't be resumed from
}

// What a follower reports itself.
const (
	eventConnected EventKind = "connected" // c is the connection from now on
	eventUnwatched EventKind = "unwatched" // c is kept, but can't be watched; err says why
	eventLost      EventKind = "lost"      // c was lost; err says why
	eventFailed    EventKind = "failed"    // an attempt to connect has failed with err
)

// run follows the registry until ctx is done, or report ends it.
func (f *follower) run(ctx context.Context) {
	f.locator.Repeat(ctx, func() (connected, last bool) {
		c, err := f.locator.connect(ctx, context.Background())
		if err == nil {
			defer c.Close()
			return true, f.session(ctx, c)
		}
		if ctx.Err() == nil {
			_ = f.report(nil, Event{Kind: eventFailed}, err)
		}
		return false, false
	})
}

// session follows the registry through one connection, until it is lost. It
// reports whether it was the last one.
func (f *follower) session(ctx context.Context, c *registry) (last bool) {
	if c.url != f.url {
		f.url, f.heard = c.url, time.Time{}
	}
	_ = f.report(c, Event{Kind: eventConnected}, nil)
	err := f.follow(ctx, c)
	if ctx.Err() == nil && errors.Is(err, ErrNoWatch) {
		f.heard = time.Time{}
		if f.report(c, Event{Kind: eventUnwatched}, err) != nil {
			return true
		}
		select {
		case <-c.lost:
			err = c.err
		case <-ctx.Done():
		}
	}
	if ctx.Err() == nil {
		_ = f.report(c, Event{Kind: eventLost}, err)
	}
	return false
}

// follow watches, from the last revision if that is possible, until it fails.
func (f *follower) follow(ctx context.Context, c *registry) error {
	reached, err := f.reached(ctx, c)
	if err != nil {
		return err
	}
	if reached >= 0 {
		params := map[string]any{"after": f.revision}
		if f.history != "" {
			params["history"] = f.history
		}
		if err = f.watch(ctx, c, params, reached); !errors.Is(err, errForgotten) {
			return err
		}
	}
	return f.watch(ctx, c, map[string]any{}, -1)
}

// errForgotten means that the registry does not keep the changes after the last
// revision any more.
var errForgotten = errors.New("it can't be resumed")

// reached returns the revision that the registry has reached, if it is the one
// whose revision is known; else -1, and it has to be listed again.
//
// A registry that was restarted may have another database, or an older one, with
// revisions of the same numbers. One whose revisions have a history refuses those of
// another, but says nothing where it accepts them and has no news: then it is listed.
// Any other one can be resumed from only if it has been up since it was last heard.
func (f *follower) reached(ctx context.Context, c *registry) (int64, error) {
	if f.heard.IsZero() {
		return -1, nil
	}
	a, err := c.ask(ctx, "status", nil, "status", client.Idempotent())
	if a.History == "" {
		f.history = "" // it would not know what that is
	}
	switch {
	case refused(err):
		return -1, nil
	case err != nil:
		return -1, err
	case a.Revision < f.revision || a.History != f.history && a.Revision == f.revision && f.history != "":
		return -1, nil
	case (a.History == "" || f.history == "") && time.Duration(a.UptimeSeconds)*time.Second < time.Since(f.heard):
		return -1, nil
	}
	return a.Revision, nil
}

// watch calls registry.watch and passes its events on: from a list, or after a
// revision, with EventResumed once the one that the registry had reached is seen;
// -1 for a list. It always ends with an error.
func (f *follower) watch(ctx context.Context, c *registry, params map[string]any, reached int64) error {
	began, resuming := reached < 0, reached >= 0
	resumed := func() error {
		if !resuming || f.revision < reached {
			return nil
		}
		resuming = false
		return f.report(c, Event{Kind: EventResumed, Revision: f.revision}, nil)
	}
	if err := resumed(); err != nil {
		return err
	}
	for item, err := range c.Call(ctx, "registry.watch", params) {
		answered, _ := errors.AsType[*client.Error](err)
		switch {
		case answered != nil && answered.Recoverable, err == nil && item.Kind != plugin.KindData:
			continue
		case unwatchable(err):
			return fmt.Errorf("%w: %w", ErrNoWatch, err)
		case err != nil:
			return err
		}
		content, _ := item.Content.(json.RawMessage)
		e, err := readEvent(content)
		if err != nil && !began {
			return errForgotten
		}
		if err != nil {
			return err
		}
		began = true
		if e.Kind == "" {
			continue // a kind unknown here
		}
		f.history, f.revision, f.heard = e.history, e.Revision, time.Now()
		if e.Kind == EventListed {
			resuming = false
		}
		if err = f.report(c, e, nil); err == nil {
			err = resumed()
		}
		if err != nil {
			return err
		}
	}
	return protocolError("registry.watch has ended")
}

// unwatchable reports whether another attempt to watch would fail as well.
func unwatchable(err error) bool {
	if e, ok := errors.AsType[*client.Error](err); ok {
		switch e.ErrorCode() {
		case plugin.CodeInvalidParams, plugin.CodeUnauthenticated, plugin.CodeForbidden:
			return true
		}
	}
	return unknownMethod(err) || errors.Is(err, client.ErrTooLarge)
}
