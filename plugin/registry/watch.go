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

// The causes of writes: the types of the events that watches yield.
const (
	causeRegistered   = "backend_registered"
	causeUpdated      = "backend_updated"
	causeDeregistered = "backend_deregistered"
)

// watch yields what happens to entries: first a list of all, unless the watch
// resumes after a revision, then every change in order. A caller that is too
// slow for the history of the store gets a new list in place of the changes that
// it has missed.
func (r *Registry) watch(ctx context.Context, in watchParams) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		w := watcher{registry: r, params: in, yield: yield}
		if in.After != nil {
			w.after = storage.Position{History: valueOr(in.History, ""), Revision: *in.After}
		} else if !w.list() {
			return
		}
		for ctx.Err() == nil {
			err := w.follow(ctx)
			switch {
			case err == nil:
				return
			case !errors.Is(err, storage.ErrCompacted):
				yield(event{}, &plugin.Error{Message: "the registry can't be watched any more", Err: err})
				return
			case in.After != nil && w.after.Revision == *in.After:
				yield(event{Error: &errorEvent{Message: fmt.Sprintf(
					"Revision %d can't be resumed from, the changes after it are not kept: list again", *in.After)}}, nil)
				return
			}
			if !w.list() {
				return
			}
		}
	}
}

// watcher is one call of watch.
type watcher struct {
	registry *Registry
	params   watchParams
	after    storage.Position // everything up to it was yielded
	yield    func(event, error) bool
}

// wants reports whether the filters let an entry through.
func (w *watcher) wants(b *storage.Backend) bool {
	return (w.params.Name == nil || *w.params.Name == b.Name) &&
		(w.params.Namespace == nil || sameText(w.params.Namespace, b.Namespace))
}

// list yields the entries as they are. It reports whether to go on.
func (w *watcher) list() bool {
	entries, at := w.registry.view.all()
	w.after = at
	infos := []*BackendInfo{}
	for _, e := range slices.Backward(entries) {
		if w.wants(&e.backend) {
			infos = append(infos, e.info)
		}
	}
	return w.yield(event{Backends: &backendsEvent{Backends: infos, Revision: &at.Revision, History: at.History}}, nil)
}

// follow yields changes until the caller leaves (nil) or the store's watch fails.
//
// A change of several names is several events. Only the last one carries the
// revision of the change, those before it the revision before: a caller that was
// cut off between them resumes after the last revision that it has seen, and gets
// the change once more, as a whole.
func (w *watcher) follow(ctx context.Context) error {
	view := w.registry.view
	for ctx.Err() == nil {
		at, news := view.position()
		// A caller that is where the view is has everything. Of any other position,
		// the store knows whether it is one of its own.
		if at.Revision == w.after.Revision && (at.History == w.after.History || w.after.History == "") {
			select {
			case <-news:
				continue
			case <-ctx.Done():
				return nil
			case <-view.ended: // the store says why
			}
		}
		for change, err := range w.registry.store.Watch(ctx, w.after) {
			if err != nil {
				return err
			}
			if !w.tell(ctx, change) {
				return nil
			}
			if at, _ = view.position(); at == w.after {
				break
			}
		}
	}
	return nil
}

// tell yields a change, and reports whether to go on.
func (w *watcher) tell(ctx context.Context, change storage.Change) bool {
	// What is yielded can be read from then on. An error says that the view
	// ends, or the caller leaves: then it does not matter.
	_ = w.registry.view.wait(ctx, change.Revision)
	at, _ := w.registry.view.position()
	w.after.History = at.History // where it was resumed from, it began
	last := -1
	for i, e := range change.Entries {
		if w.concerns(e) {
			last = i
		}
	}
	for i, e := range change.Entries[:last+1] {
		if i == last {
			w.after.Revision = change.Revision
		} else if !w.concerns(e) {
			continue
		}
		if !w.yield(w.event(e, w.after), nil) {
			return false
		}
	}
	w.after.Revision = change.Revision
	return true
}

// concerns reports whether the filters let an entry through as it is, or did so
// before.
func (w *watcher) concerns(e storage.EntryChange) bool {
	return e.After != nil && w.wants(e.After) || e.Before != nil && w.wants(e.Before)
}

// event is the event of what happened to one entry.
func (w *watcher) event(e storage.EntryChange, at storage.Position) event {
	name := &nameEvent{Name: e.Name(), Revision: at.Revision, History: at.History}
	switch {
	case e.After == nil:
		return event{Deleted: name}
	case !w.wants(e.After): // it is gone for this caller
		name.Left = true
		return event{Deleted: name}
	case e.Cause == causeDeregistered || !e.After.Active() && (e.Before == nil || e.Before.Active()):
		name.InactiveReason = InactiveReason(e.After.Inactive.First())
		return event{Deregistered: name}
	}
	changed := &backendEvent{Backend: *w.registry.view.infoOf(e.After), Revision: at.Revision, History: at.History}
	if e.Cause == causeRegistered && e.After.Active() { // one that stays unhealthy is an update
		return event{Registered: changed}
	}
	return event{Updated: changed}
}
