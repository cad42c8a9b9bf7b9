// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// meddledStore is a store in which a test meddles with each call; nil leaves
// a method as it is.
type meddledStore struct {
	storage.Store
	apply func(ctx context.Context, writes []storage.Write) (storage.Change, error)
	get   func(ctx context.Context, name string) (storage.Backend, error)
	list  func(ctx context.Context) ([]storage.Backend, storage.Position, error)
	watch func(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error]
	seen  func(when map[string]int64) error

	maxWrites int
	fail      atomic.Bool // refuse to write
}

func (s *meddledStore) MaxWrites() int { return s.maxWrites }

func (s *meddledStore) Apply(ctx context.Context, writes ...storage.Write) (storage.Change, error) {
	if s.fail.Load() {
		return storage.Change{}, errors.New("the disk is full")
	}
	if s.apply != nil {
		return s.apply(ctx, writes)
	}
	return s.Store.Apply(ctx, writes...)
}

func (s *meddledStore) Seen(ctx context.Context, when map[string]int64) error {
	if s.seen != nil {
		return s.seen(when)
	}
	return s.Store.Seen(ctx, when)
}

func (s *meddledStore) Get(ctx context.Context, name string) (storage.Backend, error) {
	if s.get != nil {
		return s.get(ctx, name)
	}
	return s.Store.Get(ctx, name)
}

func (s *meddledStore) List(ctx context.Context) ([]storage.Backend, storage.Position, error) {
	if s.list != nil {
		return s.list(ctx)
	}
	return s.Store.List(ctx)
}

func (s *meddledStore) Watch(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error] {
	if s.watch != nil {
		return s.watch(ctx, after)
	}
	return s.Store.Watch(ctx, after)
}

// fakeSource lists what a test says.
type fakeSource struct {
	source   storage.Source
	mu       sync.Mutex
	backends []storage.Backend
	err      error
	changed  chan struct{}
}

func newSource(source storage.Source, backends ...storage.Backend) *fakeSource {
	return &fakeSource{source: source, backends: backends, changed: make(chan struct{}, 1)}
}

// withFile is the option of a registry with a file that lists backends.
func withFile(backends ...storage.Backend) (*fakeSource, registry.Option) {
	source := newSource(storage.SourceFile, backends...)
	return source, registry.WithSource(source)
}

func (s *fakeSource) Source() storage.Source { return s.source }

func (s *fakeSource) Load(context.Context) ([]storage.Backend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.backends), s.err
}

func (s *fakeSource) Changes(ctx context.Context) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		for {
			select {
			case <-s.changed:
				if !yield(struct{}{}) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s *fakeSource) become(err error, backends []storage.Backend) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backends, s.err = backends, err
}

// list makes backends the list, for the next reload; set says at once that it has
// changed.
func (s *fakeSource) list(backends ...storage.Backend) { s.become(nil, backends) }

func (s *fakeSource) set(backends ...storage.Backend) {
	s.become(nil, backends)
	s.changed <- struct{}{}
}

// fail makes the next loads fail.
func (s *fakeSource) fail(err error) { s.become(err, nil) }

// hubs answer probes: by URL, the name that is answered.
type hubs struct {
	mu     sync.Mutex
	answer map[string]string
	fail   map[string]error // instead of errSilent, which is a refused connection
	probed func(url string) // nil for nothing
}

var errSilent = errors.New("connection refused")

func (h *hubs) probe(_ context.Context, url string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.probed != nil {
		h.probed(url)
	}
	if name, ok := h.answer[url]; ok {
		return name, nil
	}
	if err := h.fail[url]; err != nil {
		return "", err
	}
	return "", errSilent
}

func (h *hubs) set(answer map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

// at is a backend at a host, which tells apart who has written an entry.
func at(name, host string) storage.Backend {
	return storage.Backend{Name: name, Host: host, Port: 4444, Protocol: "ws"}
}
