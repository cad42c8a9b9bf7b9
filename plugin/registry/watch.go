// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// What writes are for: the types of the events that watchers are told.
const (
	causeRegistered   = "backend_registered"
	causeUpdated      = "backend_updated"
	causeDeregistered = "backend_deregistered"
)

// Watch tells what happens to entries: first all that there are, unless the
// watch resumes after a revision, then every change in order. A watcher that
// is too slow for the history that the store keeps is told all that there are
// once more, in place of the changes that it has missed.
func (r *Registry) Watch(ctx context.Context, in WatchParams) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := watcher{registry: r, params: in}
		var ahead map[string]int64
		if in.After != nil {
			w.after = *in.After
		} else {
			var all Event
			if all, ahead = w.all(); !yield(all, nil) {
				return
			}
		}
		for ctx.Err() == nil {
			err := w.changes(ctx, ahead, yield)
			switch {
			case err == nil:
				return
			case !errors.Is(err, storage.ErrCompacted):
				yield(Event{}, &plugin.Error{Message: "the registry can't be watched any more", Err: err})
				return
			case in.After != nil && !w.begun:
				yield(Event{Error: &ErrorEvent{Message: fmt.Sprintf(
					"Revision %d can't be resumed from, the changes after it are not kept: list again", w.after)}}, nil)
				return
			}
			var all Event
			if all, ahead = w.all(); !yield(all, nil) {
				return
			}
		}
	}
}

// watcher is one watch.
type watcher struct {
	registry *Registry
	params   WatchParams
	after    int64 // the last revision that was dealt with
	begun    bool  // a change was read
}

func (w *watcher) wants(b storage.Backend) bool {
	return (w.params.Name == nil || *w.params.Name == b.Name) &&
		(w.params.Namespace == nil || sameText(w.params.Namespace, b.Namespace))
}

// all lists the entries as they are and goes on from there.
func (w *watcher) all() (Event, map[string]int64) {
	entries, revision, ahead := w.registry.view.snapshot()
	w.after = revision
	infos := []*BackendInfo{}
	for _, e := range slices.Backward(entries) {
		if w.wants(e.backend) {
			infos = append(infos, e.info)
		}
	}
	return Event{Backends: &BackendsEvent{Backends: infos, Revision: &revision}}, ahead
}

// changes tells changes until the watch ends (nil) or fails. Those up to the
// revisions in ahead have been told already.
func (w *watcher) changes(ctx context.Context, ahead map[string]int64, yield func(Event, error) bool) error {
	for c, err := range w.registry.store.Watch(ctx, w.after) {
		if err != nil {
			return err
		}
		w.begun, w.after = true, c.Revision
		if c.Revision <= ahead[c.Backend.Name] || !w.wants(c.Backend) {
			continue
		}
		event, err := w.event(c)
		if err != nil {
			return err
		}
		if !yield(event, nil) {
			return nil
		}
	}
	return nil
}

// event words a change. What the view has encoded already is not encoded
// again for each watcher.
func (w *watcher) event(c storage.Change) (Event, error) {
	name := &NameEvent{Name: c.Backend.Name, Revision: c.Revision}
	switch {
	case c.Deleted:
		return Event{Deleted: name}, nil
	case c.Cause == causeDeregistered || c.Cause == "" && !c.Backend.Active:
		return Event{Deregistered: name}, nil
	}
	var info *BackendInfo
	if e := w.registry.view.get(c.Backend.Name); e != nil && e.backend.Revision == c.Revision {
		info = e.info
	} else {
		var err error
		if info, err = newInfo(c.Backend, nil); err != nil {
			return Event{}, err
		}
	}
	changed := &BackendEvent{Backend: *info, Revision: c.Revision}
	if c.Cause == causeRegistered {
		return Event{Registered: changed}, nil
	}
	return Event{Updated: changed}, nil
}
