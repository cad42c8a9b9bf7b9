// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/plexus-go/plexus/storage"
)

// Source lists backends from outside of the registry, such as a file.
type Source interface {
	// Source is the source of the entries that come from here:
	// storage.SourceEnv or storage.SourceFile.
	Source() storage.Source
	// Load returns the complete list as it is now. On an error the registry
	// stays as it is. The backends must pass storage.Backend.Validate, and no
	// name may be there twice; the registry sets ids and times.
	Load(ctx context.Context) ([]storage.Backend, error)
	// Changes yields whenever the source should be loaded again, until ctx is
	// done.
	Changes(ctx context.Context) iter.Seq[struct{}]
}

// feed is a source with its list.
type feed struct {
	source storage.Source
	from   Source // nil for discovery
	loaded bool
	// list is what the source listed when it was last loaded, less what was
	// deleted since: that counts as not listed until the next load.
	list []storage.Backend
	err  error // of the last load
}

func (f *feed) set(backends []storage.Backend) {
	f.loaded, f.list = true, slices.Clone(backends)
	for i := range f.list {
		f.list[i].Normalize()
	}
}

// feeds are all sources, those of the highest precedence first.
type feeds struct {
	mu  sync.Mutex // held while a source is loaded and applied
	all []*feed
}

// rank orders the sources by precedence; what a call has registered takes
// precedence over all of them, and has no rank.
func rank(s storage.Source) int {
	return slices.Index([]storage.Source{storage.SourceEnv, storage.SourceFile, storage.SourceAuto}, s)
}

func (fs *feeds) add(f *feed) {
	fs.all = append(fs.all, f)
	slices.SortStableFunc(fs.all, func(a, b *feed) int { return rank(a.source) - rank(b.source) })
}

func (fs *feeds) of(s storage.Source) *feed {
	for _, f := range fs.all {
		if f.source == s {
			return f
		}
	}
	return nil
}

// loadError is the error of a source that can't be loaded.
type loadError struct{ error }

func (e *loadError) Unwrap() error { return e.error }

// Reload loads every source again, as the method reload does, and returns how
// many entries were added or changed. Where a source can't be loaded nothing
// changes, and the error is the source's; the registry has logged it.
func (r *Registry) Reload(ctx context.Context) (count int, err error) {
	r.feeds.mu.Lock()
	defer r.feeds.mu.Unlock()
	return r.load(ctx, r.feeds.all...)
}

// load loads some sources, all or none of them, and applies what they list. The
// caller holds feeds.mu.
func (r *Registry) load(ctx context.Context, some ...*feed) (count int, err error) {
	lists := map[*feed][]storage.Backend{}
	for _, f := range some {
		if f.from == nil {
			continue
		}
		if lists[f], err = f.from.Load(ctx); err != nil {
			if f.err == nil || f.err.Error() != err.Error() { // logged once
				r.log.Error("a source can't be loaded, nothing is changed", "source", f.source, "error", err)
			}
			f.err = err
			return 0, &loadError{err}
		}
	}
	for f, list := range lists {
		if f.err != nil {
			f.err = nil
			r.log.Info("a source can be loaded again", "source", f.source)
		}
		f.set(list)
	}
	return r.reconcile(ctx)
}

// followSource loads a source whenever it changes.
func (r *Registry) followSource(ctx context.Context, f *feed) {
	for range f.from.Changes(ctx) {
		r.feeds.mu.Lock()
		count, err := r.load(ctx, f)
		r.feeds.mu.Unlock()
		switch loading := (*loadError)(nil); {
		case err == nil:
			r.log.Info("a source was loaded", "source", f.source, "changed", count)
		case !errors.As(err, &loading): // which is logged already
			r.log.Error("a source could not be applied", "source", f.source, "error", err)
		}
	}
}
