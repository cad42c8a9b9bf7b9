// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/plexus-go/plexus/storage"
)

const (
	// historyBytes bounds the memory of the changes that are kept: about 30,000
	// of usual entries, 1,000 of entries with 16 KiB of metadata.
	historyBytes = 32 << 20
	// backendBytes is about what a backend takes beside its texts.
	backendBytes = 512
)

// history keeps the last changes in memory and serves them to watches: as many
// as fit into a number of bytes, and always the last one.
type history struct {
	maxBytes int

	mu      sync.Mutex
	changes []storage.Change // the oldest first
	bytes   int              // of changes
	// The changes after floor are kept. No revision above announced was given
	// out; it is ahead of the changes while a transaction commits.
	floor, announced int64
	// news is closed, and replaced, when there are new changes.
	news   chan struct{}
	closed bool
}

// newHistory starts after revision.
func newHistory(maxBytes int, revision int64) *history {
	return &history{maxBytes: maxBytes, floor: revision, announced: revision, news: make(chan struct{})}
}

// announce allows a watch after revision before its change is published.
func (h *history) announce(revision int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.announced = revision
}

// publish adds changes and wakes the watches.
func (h *history) publish(changes []storage.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, change := range changes {
		h.changes = append(h.changes, change)
		h.bytes += bytesOf(change)
	}
	for h.bytes > h.maxBytes && len(h.changes) > 1 {
		oldest := h.changes[0]
		h.floor = oldest.Revision
		h.bytes -= bytesOf(oldest)
		h.changes[0] = storage.Change{} // or the array would hold what it refers to
		h.changes = h.changes[1:]
	}
	close(h.news)
	h.news = make(chan struct{})
}

// bytesOf is about how much memory a change takes.
func bytesOf(c storage.Change) (n int) {
	for _, e := range c.Entries {
		for _, b := range []*storage.Backend{e.Before, e.After} {
			if b == nil {
				continue
			}
			n += backendBytes + len(b.Name) + len(b.Host) + len(b.Metadata)
			for _, text := range []*string{b.Description, b.Namespace, b.Version} {
				if text != nil {
					n += len(*text)
				}
			}
		}
	}
	return n
}

// close ends the watches once they have yielded everything.
func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	close(h.news)
}

// watch is [storage.Store.Watch].
func (h *history) watch(ctx context.Context, after int64) iter.Seq2[storage.Change, error] {
	return func(yield func(storage.Change, error) bool) {
		for revision := after; ctx.Err() == nil; {
			change, news, err := h.next(revision)
			switch {
			case err != nil:
				yield(storage.Change{}, fmt.Errorf("watching after revision %d: %w", revision, err))
				return
			case news != nil:
				select {
				case <-news:
				case <-ctx.Done():
				}
			default:
				if !yield(change, nil) {
					return
				}
				revision = change.Revision
			}
		}
	}
}

// next returns the first change after a revision, or a channel that is closed
// when there may be one.
func (h *history) next(after int64) (storage.Change, <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if after < h.floor || after > h.announced {
		return storage.Change{}, nil, storage.ErrCompacted
	}
	// Mostly it is the last one, or there is none.
	i := len(h.changes)
	if i > 0 && h.changes[i-1].Revision > after {
		i, _ = slices.BinarySearchFunc(h.changes, after+1, func(c storage.Change, r int64) int { return cmp.Compare(c.Revision, r) })
	}
	switch {
	case i < len(h.changes):
		return h.changes[i], nil, nil
	case h.closed:
		return storage.Change{}, nil, storage.ErrClosed
	}
	return storage.Change{}, h.news, nil
}
