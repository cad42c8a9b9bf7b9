// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

func TestTheLeaseOfAHubThatIsNotHeardExpires(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		p := s.otherRoute()
		var log lines
		g := alpha()
		g.TTL = 5 * time.Second
		r := p.register(t, g, log.option())
		p.pipes.Stall()
		testkit.Eventually(t, "its lease has expired", func() bool { return !s.entries()["alpha"].Active })
		if log.Count("can't be reached") != 1 {
			t.Errorf("the log is %s", &log)
		}
		p.pipes.Resume()
		soon(t, "registered again", func() bool { return log.Count("is registered") == 2 })
		s.wants(4444, true, 5)
		p.pipes.Cut()
		soon(t, "registered once more", func() bool { return log.Count("is registered") == 3 })
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		s.wants(4444, false, 0)
	})
}

func TestCloseDoesNotWaitForANetworkThatStalls(t *testing.T) {
	withRegistry(t, func(t *testing.T, s *registryServer) {
		p := s.otherRoute()
		r := p.register(t, alpha())
		p.pipes.Stall()
		begun := time.Now()
		if err := r.Close(); err == nil {
			t.Error("it can't have deregistered")
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("closing took %v", took)
		}
	})
}
