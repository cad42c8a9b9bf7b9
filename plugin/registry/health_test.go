// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// patient is a registry in a bubble whose hubs answer as a test says. A round
// begins every 30 seconds, give or take a tenth.
type patient struct {
	*harness
	hubs *hubs
}

const interval = 30 * time.Second

func newPatient(t *testing.T, store storage.Store, options ...registry.Option) *patient {
	t.Helper()
	answering := &hubs{answer: map[string]string{}}
	h := over(t, store, append(options,
		registry.WithHealth(registry.Health{Probe: answering.probe, Interval: interval, Timeout: 2 * time.Second}))...)
	synctest.Wait()
	return &patient{h, answering}
}

// up makes hubs answer, down silences them, under the host of their name.
func (p *patient) up(names ...string) {
	for _, name := range names {
		p.answers(name, name)
	}
}

func (p *patient) answers(host, name string) {
	p.hubs.mu.Lock()
	defer p.hubs.mu.Unlock()
	p.hubs.answer["ws://"+host+":4444"] = name
}

func (p *patient) down(names ...string) {
	p.hubs.mu.Lock()
	defer p.hubs.mu.Unlock()
	for _, name := range names {
		delete(p.hubs.answer, "ws://"+name+":4444")
	}
}

func (p *patient) register(names ...string) {
	p.t.Helper()
	for _, name := range names {
		p.harness.register(object("name", name, "host", name, "port", 4444))
	}
}

// rounds lets so many rounds pass.
func (p *patient) rounds(n int) {
	for range n {
		// No two rounds are further apart than the interval and its jitter,
		// nor closer; one is begun in each of these spans, on average, and
		// the tests below don't depend on which.
		time.Sleep(interval + interval/10)
		synctest.Wait()
	}
}

func (p *patient) expect(name, status string, active bool) {
	p.t.Helper()
	if b := p.get(name); b.Health != status || b.Active != active {
		p.t.Fatalf("%s is %s, active %v (%s); want %s, %v", name, b.Health, b.Active, b.HealthError, status, active)
	}
}

func bubble(t *testing.T, test func(t *testing.T, p *patient)) {
	synctest.Test(t, func(t *testing.T) { test(t, newPatient(t, memory(t))) })
}

func TestAnsweringIsPassing(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("a", "b", "c", "d")
		p.expect("a", "unknown", true)
		p.up("a", "b", "c", "d")
		p.rounds(1)
		p.expect("a", "passing", true)
		if b := p.get("a"); b.LastSeen == nil || time.Now().Unix()-*b.LastSeen > 33 || b.HealthError != "" {
			t.Errorf("last seen %v, error %q", b.LastSeen, b.HealthError)
		}
	})
}

func TestThreeFailuresDeactivate(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("a", "b", "c", "d")
		p.up("b", "c", "d")
		// Rounds are 27 to 33 seconds apart, so the first failure shows after
		// one span and the third cannot have come before the second span ends.
		p.rounds(1)
		p.expect("a", "warning", true)
		if b := p.get("a"); b.HealthError != errSilent.Error() {
			t.Errorf("the error is %q", b.HealthError)
		}
		p.rounds(3)
		p.expect("a", "critical", false)
		p.up("a")
		p.rounds(1)
		p.expect("a", "passing", true)
	})
}

func TestAnsweringUnderAnotherNameDeactivates(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("a", "b", "c", "d")
		p.up("a", "b", "c", "d")
		p.rounds(1)
		p.answers("a", "somebody")
		p.rounds(1)
		p.expect("a", "critical", false)
		if b := p.get("a"); !strings.Contains(b.HealthError, `"somebody"`) {
			t.Errorf("the error is %q", b.HealthError)
		}
		p.up("a")
		p.rounds(1)
		p.expect("a", "passing", true)
	})
}

func TestFlappingIsMarked(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("a", "b", "c", "d")
		p.up("b", "c", "d")
		changes, last := 0, true
		for range 40 {
			p.up("a")
			p.rounds(1)
			p.down("a")
			p.rounds(3) // long enough to be deactivated
			if now := p.get("a").Active; now != last {
				changes, last = changes+1, now
			}
		}
		if b := p.get("a"); !b.Flapping {
			t.Errorf("it is %s and not marked", b.Health)
		}
		if changes > 6 {
			t.Errorf("it was toggled %d times", changes)
		}
		p.up("a")
		p.rounds(20)
		p.expect("a", "passing", true)
		if p.get("a").Flapping {
			t.Error("it is marked still")
		}
	})
}

func TestHealthBeginsAnewAtAnotherAddress(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("a", "b", "c", "d")
		p.up("b", "c", "d")
		p.rounds(5)
		p.expect("a", "critical", false)
		p.harness.register(object("name", "a", "host", "elsewhere", "port", 4444))
		p.expect("a", "unknown", true)
	})
}

func TestLastSeenOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory(t)
		p := newPatient(t, store)
		p.register("a", "b", "c", "d")
		p.up("a", "b", "c", "d")
		p.rounds(2)
		seen := *p.get("a").LastSeen
		p.close()
		again := newPatient(t, store)
		if b := again.get("a"); b.LastSeen == nil || *b.LastSeen != seen {
			t.Errorf("last seen %v, want %d", b.LastSeen, seen)
		}
	})
}

// slow answers after the time that a probe may take, and counts.
type slow struct{ running, most, probes atomic.Int64 }

func (s *slow) Probe(ctx context.Context, _ string) (string, error) {
	s.probes.Add(1)
	if n := s.running.Add(1); n > s.most.Load() {
		s.most.Store(n)
	}
	defer s.running.Add(-1)
	<-ctx.Done()
	return "", ctx.Err()
}

func TestProbesAreBoundedAndEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const backends = 2000
		var prober slow
		h := filled(t, memory(t), backends,
			registry.WithHealth(registry.Health{Probe: prober.Probe, Interval: interval, Timeout: 2 * time.Second}))
		time.Sleep(interval - interval/10)
		synctest.Wait()
		if n := prober.probes.Load(); n < backends {
			t.Errorf("%d probes of silent backends in one interval, want %d", n, backends)
		}
		if most := prober.most.Load(); most > 400 {
			t.Errorf("%d probes at once", most)
		}
		begin := time.Now()
		h.close()
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("Close waited %v for probes", waited)
		}
	})
}

func TestDiscoveryRegistersWhatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answering := &hubs{answer: map[string]string{}}
		p := &patient{open(t, registry.WithDiscovery(registry.Address{Host: "127.0.0.1", Port: 4444, Protocol: "ws"}),
			registry.WithHealth(registry.Health{Probe: answering.probe, Interval: interval, Timeout: time.Second})), answering}
		p.rounds(1)
		p.answers("127.0.0.1", "substrate")
		p.rounds(1)
		if b := p.get("substrate"); b.Source != "auto" || b.Host != "127.0.0.1" || b.Port != 4444 || !b.Active {
			t.Errorf("found %+v", b)
		}
		p.do("delete", object("name", "substrate"))
		p.down("127.0.0.1")
		p.rounds(1)
		if p.lookup("substrate") != nil {
			t.Error("what was deleted has returned without an answer")
		}
		p.answers("127.0.0.1", "substrate")
		p.rounds(1)
		p.get("substrate")
	})
}

// Without a probe there is neither health nor discovery.
func TestHealthWithoutAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{harness: open(t, registry.WithSelf("self", netip.MustParseAddrPort("127.0.0.1:4444")),
			registry.WithHealth(registry.Health{Interval: interval}))}
		p.rounds(3)
		p.expect("self", "unknown", true)
	})
}

// failingHealth is a registry whose probes all fail with an error.
func failingHealth(t *testing.T, err error) *patient {
	t.Helper()
	probe := func(context.Context, string) (string, error) { return "", err }
	p := &patient{harness: open(t, registry.WithHealth(registry.Health{Probe: probe, Interval: interval, Timeout: time.Second}))}
	p.register("a")
	return p
}

func TestHealthErrorsAreShortAndPrintable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := failingHealth(t, errors.New("it said \x1b[31m\u202e\x00"+strings.Repeat("é", 1000)))
		p.rounds(1)
		got := p.get("a").HealthError
		if len(got) > 210 || strings.ContainsAny(got, "\x1b\u202e\x00") || !strings.HasPrefix(got, "it said \uFFFD[31m\uFFFD\uFFFDéé") {
			t.Errorf("shown is %q", got)
		}
	})
}

func TestLocalFailuresDeactivateNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := failingHealth(t, fmt.Errorf("dial: %w", syscall.EMFILE))
		p.rounds(6)
		p.expect("a", "warning", true)
	})
}

// A change of health is told to those who watch, and nothing else of a probe is.
func TestWatchTellsChangesOfHealth(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("a")
		events := make(chan event, 100)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for e := range p.watch(ctx, "{}") {
				events <- e
			}
		}()
		listed := <-events
		last := listed.Revision
		for _, test := range []struct {
			change func(names ...string)
			want   []string
		}{
			{p.up, []string{"backend_updated a passing"}},
			{p.down, []string{"backend_updated a warning", "backend_deregistered a "}},
			{p.up, []string{"backend_registered a passing"}},
		} {
			test.change("a")
			p.rounds(9)
			for _, want := range test.want {
				e := <-events
				health := ""
				if e.Backend != nil {
					health = e.Backend.Health
				}
				same(t, "the next event", e.described()+" "+health, want)
				if last++; e.Revision != last {
					t.Errorf("%s: revision %d, want %d", want, e.Revision, last)
				}
			}
		}
		same(t, "how many events are left", len(events), 0)
	})
}
