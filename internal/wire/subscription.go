// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"bytes"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// subscriptionBits is how large a subscription id may get: what a JavaScript
// number holds exactly.
const subscriptionBits = 53

// Subscriptions gives out subscription ids: below 2^53, of no visible order,
// and never the same again from one hub, not on another connection and not
// after a restart. Clients keep items of old streams by their ids.
//
// An id is the time in microseconds, put through a permutation that the hub's
// name chooses; each microsecond gives one, and many at once take some that are to
// come. So no id repeats unless the clock is set back by more than the program was
// down.
type Subscriptions struct {
	key   uint64
	start time.Time // with the monotonic clock, which is not set back
	mu    sync.Mutex
	last  uint64
}

// maxLead is how far ids may be ahead of the clock.
const maxLead = time.Millisecond

// NewSubscriptions makes the ids of the hub of that name. It waits for as long as
// those of a former run may have been ahead.
func NewSubscriptions(hub string) *Subscriptions {
	time.Sleep(maxLead)
	h := fnv.New64a()
	h.Write([]byte(hub))
	return &Subscriptions{key: h.Sum64(), start: time.Now()}
}

// Next returns an id, above zero.
func (s *Subscriptions) Next() int64 {
	for {
		if id := s.permute(s.tick()); id != 0 {
			return int64(id)
		}
	}
}

// tick returns a microsecond that it has not returned before, at most maxLead
// ahead of the clock.
func (s *Subscriptions) tick() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	now := uint64(s.start.Add(time.Since(s.start)).UnixMicro())
	if ahead := time.Duration(int64(s.last)-int64(now)) * time.Microsecond; ahead > maxLead {
		time.Sleep(ahead)
	}
	s.last = max(s.last, now)
	return s.last
}

// permute maps the numbers below 2^53 one to one onto themselves: each step
// can be undone.
func (s *Subscriptions) permute(n uint64) uint64 {
	const mask = 1<<subscriptionBits - 1
	n = (n ^ s.key) & mask
	n = n * 0x9E3779B97F4A7C15 & mask // an odd factor
	n ^= n >> 27
	n = n * 0xBF58476D1CE4E5B9 & mask
	n ^= n >> 26
	return n
}

// ParseSubscription reads the parameters of an unsubscription: one id in an
// array, or alone, a number or the same number as a string. Of anything else it
// returns 0, which is the id of no subscription.
func ParseSubscription(params []byte) int64 {
	params = bytes.TrimSpace(params)
	if len(params) > 1 && params[0] == '[' {
		params = bytes.TrimSpace(params[1 : len(params)-1])
	}
	if jsontext.Value(params).Kind() == '"' && len(params) > 1 {
		params = params[1 : len(params)-1]
	}
	id, err := strconv.ParseInt(string(params), 10, 64)
	if err != nil { // id may be the largest number
		return 0
	}
	return id
}
