// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// Source lists backends from outside of the registry, such as a file.
type Source interface {
	// Source is what the entries that come from here have as their source:
	// storage.SourceFile or storage.SourceEnv.
	Source() storage.Source
	// Load returns the complete list as it is now. On an error the registry
	// stays as it is. The backends satisfy storage.Backend.Validate, no name
	// is there twice; ids and times are the registry's to give.
	Load(ctx context.Context) ([]storage.Backend, error)
}

// loaded is a source and the names that it listed when it was last loaded,
// nil before that.
type loaded struct {
	source Source
	names  map[string]bool
}

// loadError is what a source says of why it can't be loaded.
type loadError struct{ err error }

func (e *loadError) Error() string { return e.err.Error() }

func (e *loadError) Unwrap() error { return e.err }

// reload loads every source and applies what they list. It returns how many
// backends were added or changed. Where one source can't be loaded nothing is
// changed, and the error is a [*loadError].
func (r *Registry) reload(ctx context.Context) (count int, err error) {
	r.loading.Lock()
	defer r.loading.Unlock()
	lists := make([][]storage.Backend, len(r.sources))
	for i, l := range r.sources {
		if lists[i], err = l.source.Load(ctx); err != nil {
			return 0, &loadError{err}
		}
	}
	for i, l := range r.sources {
		n, err := r.applyList(ctx, l, lists[i])
		if err != nil {
			return count, fmt.Errorf("applying what the source %s lists: %w", l.source.Source(), err)
		}
		count += n
	}
	return count, nil
}

// applyList brings the entries that a source owns into line with its list, as
// one change. What was registered at run time, and what another source owns,
// is left alone. An entry that the list no longer names is deactivated.
func (r *Registry) applyList(ctx context.Context, l *loaded, listed []storage.Backend) (count int, err error) {
	stored := r.view.all()
	for tries := 1; ; tries++ {
		var writes []storage.Write
		writes, count = compare(stored, l, listed)
		var changes []storage.Change
		if len(writes) > 0 {
			changes, err = r.store.Apply(ctx, writes...)
		}
		if err == nil {
			l.names = make(map[string]bool, len(listed))
			for _, b := range listed {
				l.names[b.Name] = true
			}
			return count, r.applied(changes)
		}
		// Somebody wrote one of these names meanwhile: compare again, with
		// the store itself, which knows of it before the view does.
		if errors.Is(err, storage.ErrConflict) && tries < mostTries {
			stored, _, err = r.store.List(ctx)
		}
		if err != nil {
			return 0, err
		}
	}
}

// compare tells what to write where the store holds stored, and how many of
// the writes add or change something that the source lists.
func compare(stored []storage.Backend, l *loaded, listed []storage.Backend) (writes []storage.Write, count int) {
	now := time.Now().Unix()
	source := l.source.Source()
	byName := make(map[string]*storage.Backend, len(stored))
	for i := range stored {
		byName[stored[i].Name] = &stored[i]
	}
	named := make(map[string]bool, len(listed))
	// What is created here at once is equally new; lists of the newest first
	// show it in the order of the source.
	ids := make([]string, len(listed))
	for i := range slices.Backward(ids) {
		ids[i] = newID()
	}
	for i, b := range listed {
		named[b.Name] = true
		old := byName[b.Name]
		if old == nil {
			b.ID = ids[i]
			b.Source, b.Runtime, b.Active = source, false, true
			b.RegisteredAt, b.CreatedAt, b.UpdatedAt = now, now, now
			writes = append(writes, storage.Write{Backend: b, If: storage.IfAbsent()})
			count++
			continue
		}
		if old.Runtime || old.Source != source {
			continue
		}
		returns := !old.Active && !l.names[b.Name]
		if sameListing(*old, b) && !returns {
			continue
		}
		updated := *old
		updated.Host, updated.Port, updated.Protocol = b.Host, b.Port, b.Protocol
		updated.Description, updated.Namespace = b.Description, b.Namespace
		updated.RegisteredAt, updated.UpdatedAt = now, now
		updated.Active = old.Active || returns
		writes = append(writes, storage.Write{Backend: updated, If: unchanged(old)})
		count++
	}
	for i := range stored {
		old := &stored[i]
		if old.Runtime || old.Source != source || !old.Active || named[old.Name] {
			continue
		}
		dropped := *old
		dropped.Active, dropped.UpdatedAt = false, now
		writes = append(writes, storage.Write{Backend: dropped, If: unchanged(old)})
	}
	return writes, count
}

// sameListing tells whether a source says of b what is stored already.
func sameListing(stored, b storage.Backend) bool {
	return stored.Host == b.Host && stored.Port == b.Port && stored.Protocol == b.Protocol &&
		sameText(stored.Description, b.Description) && sameText(stored.Namespace, b.Namespace)
}

func sameText(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// sortSources puts the sources in the order of their rank, the highest first.
func sortSources(sources []*loaded) {
	rank := map[storage.Source]int{storage.SourceEnv: 1, storage.SourceFile: 2}
	slices.SortStableFunc(sources, func(a, b *loaded) int {
		return rank[a.source.Source()] - rank[b.source.Source()]
	})
}
