// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/plugin/registry"
)

// fails makes hubs fail in a way, until they are up again.
func (p *patient) fails(err error, names ...string) {
	p.down(names...)
	p.hubs.mu.Lock()
	defer p.hubs.mu.Unlock()
	for _, name := range names {
		if p.hubs.fail == nil {
			p.hubs.fail = map[string]error{}
		}
		p.hubs.fail["ws://"+name+":4444"] = err
	}
}

// status reads what status says of an outage.
func (p *patient) status() (held []string, warnings string) {
	p.t.Helper()
	var s struct{ Held, Warnings []string }
	p.decode("status", &s)
	slices.Sort(s.Held)
	return s.Held, strings.Join(s.Warnings, "\n")
}

// TestOnlyOurOwnNetworkIsExcused has hubs fail in one round, and sees whether they
// stay active.
func TestOnlyOurOwnNetworkIsExcused(t *testing.T) {
	timeout := fmt.Errorf("%w: timed out", registry.ErrNoAnswer)
	unresolved := fmt.Errorf("%w: %w", registry.ErrNoAnswer, &net.DNSError{Err: "server misbehaving", IsTemporary: true})
	numbered := func(pattern string, n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf(pattern, i+1))
		}
		return names
	}
	named, far, near := numbered("hub%d", 8), numbered("10.0.0.%d", 8), numbered("127.0.0.%d", 4)
	for _, tt := range []struct {
		what          string
		well          []string // all the time
		fail          []string
		err           error
		held          bool
		neverPassed   bool
		refusedBeside []string // while the others are silent
	}{
		{what: "all are silent", fail: named, err: timeout, held: true},
		{what: "three are all there are", fail: named[:3], err: timeout, held: true},
		{what: "all of this machine are silent", fail: near, err: timeout, held: true},
		{what: "this machine answers itself", well: near, fail: far[:3], err: timeout, held: true},
		{what: "no name can be looked up", fail: named, err: unresolved, held: true},
		{what: "names can't be looked up, addresses answer", well: far, fail: named[:3], err: unresolved, held: true},
		{what: "three of eight are stopped", well: named[3:], fail: named[:3], err: errSilent},
		{what: "all are stopped", fail: named, err: errSilent},
		{what: "three of eight are silent", well: named[3:], fail: named[:3], err: timeout},
		{what: "one of many answers, and wrongly", fail: named[1:], err: timeout, refusedBeside: named[:1]},
		{what: "two are silent", fail: named[:2], err: timeout},
		{what: "those that never passed are silent", fail: named, err: timeout, neverPassed: true},
		{what: "other names can be looked up", well: named[3:], fail: named[:3], err: unresolved},
		{what: "three of this machine are silent", well: far, fail: near[:3], err: timeout},
	} {
		t.Run(tt.what, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *patient) {
				p.register(tt.well...)
				p.register(tt.fail...)
				p.register(tt.refusedBeside...)
				p.up(tt.well...)
				p.up(tt.refusedBeside...)
				if !tt.neverPassed {
					p.up(tt.fail...)
				} else {
					p.fails(tt.err, tt.fail...)
				}
				p.rounds(2)
				p.fails(tt.err, tt.fail...)
				p.down(tt.refusedBeside...)
				p.rounds(6)
				held, warnings := p.status()
				if tt.held {
					want := slices.Sorted(slices.Values(tt.fail))
					same(t, "held", held, want)
					if !strings.Contains(warnings, "our own") {
						t.Errorf("the warnings are %q", warnings)
					}
					p.expect(tt.fail[0], "warning", true)
				} else {
					p.expect(tt.fail[0], "critical", false)
					if held != nil || warnings != "" {
						t.Errorf("held are %q, the warnings are %q", held, warnings)
					}
				}
				if said := p.log.Count("seems to be down"); said != map[bool]int{true: 1}[tt.held] {
					t.Errorf("said %d times; the log:\n%s", said, p.log)
				}
				p.up(tt.fail...)
				p.rounds(1)
				p.expect(tt.fail[0], "passing", true)
				if held, warnings := p.status(); held != nil || warnings != "" {
					t.Errorf("in the end %q are held, the warnings are %q", held, warnings)
				}
			})
		})
	}
}

// What is refused during an outage, or was critical before, is not held.
func TestAnOutageHoldsOnlyWhatIsSilent(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		timeout := fmt.Errorf("%w: timed out", registry.ErrNoAnswer)
		p.register("a", "b", "c", "127.0.0.1", "gone")
		p.up("a", "b", "c", "127.0.0.1")
		p.fails(timeout, "gone")
		p.rounds(5)
		p.expect("gone", "critical", false)
		p.fails(timeout, "a", "b", "c")
		p.down("127.0.0.1")
		p.rounds(5)
		p.expect("a", "warning", true)
		p.expect("gone", "critical", false)
		p.expect("127.0.0.1", "critical", false)
		held, _ := p.status()
		same(t, "held", held, []string{"a", "b", "c"})
	})
}

func TestAliveButNotForUsIsAWarning(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		refusing := fmt.Errorf("%w: 401", registry.ErrNotForUs)
		p.register("a", "b", "taken")
		p.up("taken")
		p.fails(refusing, "a")
		p.rounds(10)
		p.expect("a", "warning", true)
		if b := p.get("a"); !strings.Contains(b.HealthError, "401") || b.LastSeen == nil {
			t.Errorf("it is %v", b)
		}
		p.expect("b", "critical", false)
		p.fails(refusing, "b")
		p.rounds(1)
		p.expect("b", "warning", true)

		p.answers("taken", "another")
		p.rounds(1)
		p.expect("taken", "critical", false)
		p.fails(refusing, "taken")
		p.rounds(5)
		p.expect("taken", "critical", false)
		p.up("taken")
		p.rounds(1)
		p.expect("taken", "passing", true)
	})
}
