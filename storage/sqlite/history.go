// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"context"
	"fmt"
	"iter"
	"sort"
	"sync"

	"github.com/plexus-go/plexus/storage"
)

const (
	// historyBytes bounds what the changes that are kept take. 10,000 of usual
	// entries take less; as many with 16 KiB of metadata would take five times
	// as much.
	historyBytes = 32 << 20
	// chunkChanges and chunkBytes bound what a watcher takes at once, and holds
	// while nobody reads it.
	chunkChanges = 64
	chunkBytes   = 64 << 10
	// changeBytes is about what a change takes beside its texts.
	changeBytes = 512
)

// history keeps the last changes and serves them to watchers: up to a number,
// and up to so many bytes, but always the last one.
//
// Each change has a position, counted from zero; position p lies in
// ring[p%size]. Revisions alone would not do, as a failed commit leaves a gap.
type history struct {
	size int
	most int // bytes

	mu    sync.Mutex
	bytes int              // of what is kept
	ring  []storage.Change // grows up to size
	first int              // position of the oldest that is kept
	next  int              // position of the next to come
	// Changes after floor are kept. None is above announced, which runs ahead
	// of what is published while a transaction commits.
	floor, announced int64
	// changed is closed, and replaced, when there is something new.
	changed chan struct{}
	closed  bool
}

// newHistory starts after revision.
func newHistory(size int, revision int64) *history {
	return &history{size: size, most: historyBytes, floor: revision, announced: revision, changed: make(chan struct{})}
}

// announce allows to watch from revision before it is published.
func (h *history) announce(revision int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.announced = revision
}

// publish adds the changes of committed requests and wakes the watchers.
func (h *history) publish(batch []*request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range batch {
		for _, change := range r.changes {
			h.add(change)
		}
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *history) add(change storage.Change) {
	h.bytes += bytesOf(change)
	for h.first < h.next && (h.next-h.first == h.size || h.bytes > h.most) {
		h.drop()
	}
	if len(h.ring) < h.size {
		h.ring = append(h.ring, change)
	} else {
		h.ring[h.next%h.size] = change
	}
	h.next++
}

// drop gives up the oldest change.
func (h *history) drop() {
	oldest := &h.ring[h.first%h.size]
	h.floor = oldest.Revision
	h.bytes -= bytesOf(*oldest)
	*oldest = storage.Change{}
	h.first++
}

// bytesOf is about how much memory a change takes.
func bytesOf(c storage.Change) int {
	b := &c.Backend
	n := changeBytes + len(b.Name) + len(b.Host) + len(b.Metadata)
	for _, text := range []*string{b.Description, b.Namespace, b.Version} {
		if text != nil {
			n += len(*text)
		}
	}
	return n
}

// close ends the watchers once they have seen everything.
func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	close(h.changed)
}

// watch is [storage.Store.Watch].
func (h *history) watch(ctx context.Context, after int64) iter.Seq2[storage.Change, error] {
	return func(yield func(storage.Change, error) bool) {
		if ctx.Err() != nil {
			return
		}
		fail := func(err error) {
			yield(storage.Change{}, fmt.Errorf("watching after revision %d: %w", after, err))
		}
		position, err := h.seek(after)
		if err != nil {
			fail(err)
			return
		}
		// Copied out, so that nothing is locked while the caller works.
		var chunk []storage.Change
		for {
			var changed <-chan struct{}
			chunk, changed, err = h.read(chunk[:0], position)
			if err != nil {
				fail(err)
				return
			}
			for _, change := range chunk {
				if ctx.Err() != nil {
					return
				}
				if change.Revision > after && !yield(cloneChange(change), nil) {
					return
				}
			}
			position += len(chunk)
			if len(chunk) > 0 {
				clear(chunk) // nothing is held while there is nothing to do
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// seek finds the position of the first change after a revision.
func (h *history) seek(after int64) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return 0, storage.ErrClosed
	case after < h.floor, after > h.announced:
		return 0, storage.ErrCompacted
	}
	return h.first + sort.Search(h.next-h.first, func(i int) bool {
		return h.ring[(h.first+i)%h.size].Revision > after
	}), nil
}

// read appends the changes from a position on to chunk, up to a bound. Where
// there are none, it returns a channel that is closed when that changes.
func (h *history) read(chunk []storage.Change, position int) ([]storage.Change, <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case position < h.first:
		return nil, nil, storage.ErrCompacted
	case position == h.next && h.closed:
		return nil, nil, storage.ErrClosed
	}
	for bytes := 0; position < h.next && len(chunk) < chunkChanges && bytes < chunkBytes; position++ {
		change := h.ring[position%h.size]
		chunk = append(chunk, change)
		bytes += bytesOf(change)
	}
	return chunk, h.changed, nil
}
