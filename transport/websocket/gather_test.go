// SPDX-License-Identifier: AGPL-3.0-only

package websocket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/plexus-go/plexus/transport/websocket"
)

func TestManySmallAnswersLeaveInFewWrites(t *testing.T) {
	tap := newTap(t)
	s := serveOn(t, websocket.Limits{}, tap)
	c := s.dial()
	c.quiet()
	const calls = 200
	var all []byte
	for id := range calls {
		all = append(all, masked(textFrame, true, fmt.Appendf(nil, writeRequest, id))...)
	}
	before := tap.writes.Load()
	if _, err := c.NetConn().Write(all); err != nil {
		t.Fatal(err)
	}
	for range 3 * calls {
		c.next()
	}
	writes := tap.writes.Load() - before
	t.Logf("%d frames in %d writes", 3*calls, writes)
	if writes > calls {
		t.Errorf("%d frames in %d writes, want less than one a call", 3*calls, writes)
	}
}

func TestALoneAnswerIsNotDelayed(t *testing.T) {
	c := serve(t, websocket.Limits{}).dial()
	fastest := time.Hour
	for id := range 50 {
		begin := time.Now()
		sub := c.call(id, "probe.block", "{}")
		c.item(sub, "data")
		fastest = min(fastest, time.Since(begin))
	}
	t.Logf("answered within %v", fastest)
	if fastest > 5*time.Millisecond {
		t.Errorf("even the fastest answer took %v", fastest)
	}
}
