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
		g := alpha()
		g.TTL = 5 * time.Second
		r := p.register(t, g)
		p.stall()
		testkit.Eventually(t, "its lease has expired", func() bool { return !s.entries()["alpha"].Active })
		p.resume()
		soon(t, "registered again", func() bool { return s.entries()["alpha"].Active })
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if s.entries()["alpha"].Active {
			t.Error("it is closed, but active")
		}
	})
}

func TestABrokenNetwork(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, s *registryServer, p *route){
		"that is cut": func(t *testing.T, s *registryServer, p *route) {
			var log lines
			p.register(t, alpha(), log.option())
			p.pipes.Cut()
			soon(t, "registered again", func() bool { return log.Count("is registered") == 2 })
		},
		"that stalls before the hub is closed": func(t *testing.T, s *registryServer, p *route) {
			r := p.register(t, alpha())
			p.stall()
			begun := time.Now()
			if err := r.Close(); err == nil {
				t.Error("it can't have deregistered")
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("closing took %v", took)
			}
		},
		"that stalls and comes back": func(t *testing.T, s *registryServer, p *route) {
			var log lines
			p.register(t, alpha(), log.option())
			p.stall()
			testkit.Eventually(t, "it is noticed", func() bool { return log.Count("can't be reached") == 1 })
			p.resume()
			soon(t, "registered again", func() bool { return log.Count("is registered") == 2 })
			if all := s.entries(); len(all) != 1 || !all["alpha"].Active {
				t.Errorf("it is registered as %+v", all)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			withRegistry(t, func(t *testing.T, s *registryServer) { test(t, s, s.otherRoute()) })
		})
	}
}
