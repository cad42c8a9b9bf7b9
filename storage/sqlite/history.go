// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"strings"
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
	// A position is one of ours with the id, and with those of the ancestors where
	// they ended, which is where we began: at origin.
	id        string
	ancestors []string
	origin    int64

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

// newHistory starts after the position of m.
func newHistory(maxBytes int, m meta) *history {
	return &history{
		maxBytes: maxBytes, id: m.History, ancestors: strings.Fields(m.ancestors),
		origin: m.Revision, floor: m.Revision, announced: m.Revision, news: make(chan struct{}),
	}
}

// maxAncestors bounds how many openings in a row, with nothing changed, leave
// positions that can be resumed from.
const maxAncestors = 16

// descend returns the meta of a new opening of a database, whose rows have that
// digest now. Every opening is a history of its own: of two copies of a file, each
// goes its own way. Its ancestors ended at its beginning, unless another program
// has written since.
func (m meta) descend(digest uint64) meta {
	ancestors := append(strings.Fields(m.ancestors), m.History)
	switch {
	case m.digest != digest || m.History == "":
		ancestors = nil
	case m.origin != m.Revision: // those before the last one ended earlier
		ancestors = ancestors[len(ancestors)-1:]
	}
	ancestors = ancestors[max(len(ancestors)-maxAncestors, 0):]
	return meta{
		Position: storage.Position{History: rand.Text(), Revision: m.Revision},
		digest:   digest, ancestors: strings.Join(ancestors, " "), origin: m.Revision,
	}
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
func (h *history) watch(ctx context.Context, after storage.Position) iter.Seq2[storage.Change, error] {
	return func(yield func(storage.Change, error) bool) {
		for ctx.Err() == nil {
			change, news, err := h.next(after)
			switch {
			case err != nil:
				yield(storage.Change{}, fmt.Errorf("watching after revision %d: %w", after.Revision, err))
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
				after = storage.Position{History: h.id, Revision: change.Revision}
			}
		}
	}
}

// has reports whether a position is one that this history has, or had.
func (h *history) has(p storage.Position) bool {
	return p.History == h.id || p.History == "" || p.Revision == h.origin && slices.Contains(h.ancestors, p.History)
}

// next returns the first change after a position, or a channel that is closed
// when there may be one.
func (h *history) next(at storage.Position) (storage.Change, <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	after := at.Revision
	if !h.has(at) || after < h.floor || after > h.announced {
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
