// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// reason is why an entry is inactive; "active" where it is not.
func (p *patient) reason(name string) string {
	p.t.Helper()
	b := p.get(name)
	if b.Active != (b.Reason == "") {
		p.t.Fatalf("%s is active %v with the reason %q", name, b.Active, b.Reason)
	}
	if b.Active {
		return "active"
	}
	return b.Reason
}

func (p *patient) wantReason(when, name, want string) {
	p.t.Helper()
	if got := p.reason(name); got != want {
		p.t.Errorf("%s: %s is %s (%s), want %s", when, name, got, p.get(name).HealthError, want)
	}
}

// TestNeitherHealthNorLeaseOverrulesTheOther keeps one of them bad while the other
// is renewed in every way, and sees how often the entry changes.
func TestNeitherHealthNorLeaseOverrulesTheOther(t *testing.T) {
	renewals := map[string]func(p *patient, lease string){
		"ping":                func(p *patient, _ string) { p.do("ping", object("name", "nat")) },
		"ping with its lease": func(p *patient, lease string) { p.do("ping", object("name", "nat", "lease_id", lease)) },
		"register":            func(p *patient, _ string) { p.lease("nat", 15) },
		"register without a lease": func(p *patient, _ string) {
			p.register("nat")
		},
		"update": func(p *patient, lease string) {
			p.do("update", object("name", "nat", "description", "d"))
			p.do("ping", object("name", "nat"))
		},
	}
	for how, renew := range renewals {
		t.Run("the lease runs by "+how, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *patient) {
				p.register("b")
				p.up("b")
				lease := p.lease("nat", 15)
				var seen []string
				for range 40 {
					p.after(10 * time.Second)
					renew(p, lease)
					if now := p.reason("nat"); len(seen) == 0 || seen[len(seen)-1] != now {
						seen = append(seen, now)
					}
				}
				same(t, "states", seen, []string{"active", "unhealthy"})
				p.up("nat")
				p.rounds(1)
				renew(p, lease)
				p.wantReason("it answers", "nat", "active")
			})
		})
	}
	t.Run("the health is good", func(t *testing.T) {
		bubble(t, func(t *testing.T, p *patient) {
			p.lease("a", 10)
			p.up("a")
			p.rounds(1)
			p.wantReason("its lease is over", "a", "expired")
			p.rounds(10)
			p.wantReason("it answers probes", "a", "expired")
			p.expect("a", "passing", false)
			p.do("ping", object("name", "a"))
			p.wantReason("it is pinged", "a", "active")
		})
	})
}

// Each clock runs on while the other says no.
func TestHealthAndLeaseKeepTheirOwnClocks(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("b")
		p.up("b")
		p.lease("a", 200)
		p.rounds(4)
		p.wantReason("three probes have failed", "a", "unhealthy")
		p.rounds(3)
		p.wantReason("its lease is over as well", "a", "expired")
		p.up("a")
		p.rounds(1)
		p.wantReason("it answers", "a", "expired")
		p.down("a")
		p.rounds(4)
		p.do("ping", object("name", "a"))
		p.wantReason("it is pinged, and unhealthy", "a", "unhealthy")
		p.up("a")
		p.rounds(1)
		p.wantReason("it answers and its lease runs", "a", "active")
	})
}

func TestAnotherAddressHasItsOwnHealth(t *testing.T) {
	for how, move := range map[string]func(p *patient, file *fakeSource, name string){
		"register": func(p *patient, _ *fakeSource, name string) {
			p.harness.register(object("name", name, "host", "elsewhere", "port", 4444))
		},
		"update": func(p *patient, _ *fakeSource, name string) {
			p.do("update", object("name", name, "host", "elsewhere"))
		},
		"file": func(p *patient, file *fakeSource, _ string) {
			file.list(at("filed", "elsewhere"))
			p.do("reload", "")
		},
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file, withFile := withFile(at("filed", "dead"))
				p := newPatient(t, memory(t), withFile)
				p.register("called")
				name := map[bool]string{true: "filed", false: "called"}[how == "file"]
				p.rounds(4)
				p.wantReason("before", name, "unhealthy")
				move(p, file, name)
				p.wantReason("after", name, "active")
				p.expect(name, "unknown", true)
			})
		})
	}
}

// A source that changes what it says of an entry does not make it healthy.
func TestASourceDoesNotOverruleHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, withFile := withFile(at("a", "a"), at("b", "b"))
		p := newPatient(t, memory(t), withFile)
		p.up("b")
		p.rounds(4)
		p.wantReason("silent", "a", "unhealthy")
		described := at("a", "a")
		described.Description = new("now with a description")
		file.list(described, at("b", "b"))
		p.do("reload", "")
		p.wantReason("described", "a", "unhealthy")
		file.list(at("b", "b"))
		p.do("reload", "")
		p.wantReason("dropped", "a", "dropped")
		p.up("a")
		p.rounds(1)
		p.wantReason("it answers", "a", "dropped")
		p.do("ping", object("name", "a"))
		p.wantReason("it is pinged", "a", "dropped")
		p.down("a")
		p.rounds(4)
		file.list(at("a", "a"), at("b", "b"))
		p.do("reload", "")
		p.wantReason("listed again", "a", "unhealthy")
		p.up("a")
		p.rounds(1)
		p.wantReason("it answers again", "a", "active")
	})
}

// TestARollingRestartHidesNobody has the old process say goodbye after the new one
// has registered.
func TestARollingRestartHidesNobody(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("a")
		p.up("a")
		p.rounds(1)
		p.register("a") // the new process
		p.do("deregister", object("name", "a"))
		p.wantReason("the old process said goodbye", "a", "deregistered")
		p.rounds(1)
		p.wantReason("the new one answers", "a", "active")

		p.do("deregister", object("name", "a"))
		p.answers("a", "another")
		p.rounds(5)
		p.wantReason("another answers", "a", "deregistered")
		p.down("a")
		p.rounds(5)
		p.wantReason("nobody answers", "a", "deregistered")
	})
}

// A hub that was down for long is active as soon as it answers, though it registers
// before it listens.
func TestAHubThatRegistersAgainIsProbedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		p.register("a", "b")
		p.up("b")
		p.rounds(4)
		p.wantReason("it was down", "a", "unhealthy")
		p.up("a")
		p.register("a")
		p.after(time.Millisecond)
		p.wantReason("it listens and registers", "a", "active")
		p.down("a")
		p.rounds(4)
		_, listed := p.watched("{}", 1)
		p.register("a")
		told, _ := p.watched(object("after", listed[0], "name", "a"), 1)
		same(t, "told", told, []string{"backend_updated a"})
		p.after(3 * time.Second)
		p.wantReason("it has registered, and does not listen", "a", "unhealthy")
		p.up("a")
		p.after(2 * time.Second)
		p.wantReason("it listens", "a", "active")
	})
}

// A new process with a lease is back by its next ping, also without probes.
func TestARollingRestartWithALease(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ *meddledStore) {
		p.lease("a", 15)
		lease := p.lease("a", 15)
		p.do("deregister", object("name", "a"))
		p.wantReason("the old process said goodbye", "a", "deregistered")
		p.after(5 * time.Second)
		p.do("ping", object("name", "a", "lease_id", lease))
		p.wantReason("the new one pings", "a", "active")
	})
}

func TestUnhealthyEntriesAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory(t)
		p := newPatient(t, store)
		p.register("a", "b")
		p.up("b")
		p.rounds(4)
		p.close()
		p = newPatient(t, store)
		p.expect("a", "critical", false)
		p.up("a", "b")
		p.rounds(1)
		p.wantReason("it answers", "a", "active")
		p.down("a")
		p.rounds(4)
		p.close()
		p = &patient{harness: over(t, store)} // which probes nothing
		p.expect("a", "unknown", true)
	})
}

// TestCriticalMeansInactive lets hubs come and go, and holds what is shown of them
// against each other.
func TestCriticalMeansInactive(t *testing.T) {
	bubble(t, func(t *testing.T, p *patient) {
		names := []string{"a", "b", "c", "d", "e", "f"}
		p.register(names...)
		p.register("up")
		p.up("up")
		for round := range 200 {
			for i, name := range names {
				switch (round / (i + 1)) % (i + 2) {
				case 0:
					p.up(name)
				case 1:
					p.down(name)
				case 2:
					p.answers(name, "another")
				}
			}
			p.rounds(1)
			for _, name := range names {
				if b := p.get(name); b.Active != (b.Health != "critical") {
					t.Fatalf("round %d: %v", round, b)
				}
			}
		}
	})
}

// TestReasonsAreTold reads why an entry is inactive wherever it is shown.
func TestReasonsAreTold(t *testing.T) {
	for _, tt := range []struct {
		reason  string
		happens func(p *patient, file *fakeSource)
	}{
		{"deregistered", func(p *patient, _ *fakeSource) { p.do("deregister", object("name", "a")) }},
		{"expired", func(p *patient, _ *fakeSource) { p.lease("a", 5); p.up("a"); p.rounds(1) }},
		{"unhealthy", func(p *patient, _ *fakeSource) { p.rounds(4) }},
		{"dropped", func(p *patient, file *fakeSource) { file.list(at("up", "up")); p.do("reload", "") }},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file, withFile := withFile(at("a", "a"), at("up", "up"))
				p := newPatient(t, memory(t), withFile)
				p.up("up")
				_, listed := p.watched("{}", 1)
				start := object("after", listed[0])
				tt.happens(p, file)
				p.wantReason("get", "a", tt.reason)
				reasons := ""
				for _, b := range p.do("list", `{"active_only": false}`).Backends {
					reasons += fmt.Sprintf("%s %s, ", b.Name, b.Reason)
				}
				same(t, "listed", reasons, fmt.Sprintf("a %s, up , ", tt.reason))
				told := ""
				for e := range p.watch(t.Context(), start) {
					if e.Type == "backend_deregistered" {
						told = e.Name + " " + e.Reason
						break
					}
				}
				same(t, "told", told, "a "+tt.reason)
			})
		})
	}
	t.Run("unknown", func(t *testing.T) {
		store := memory(t)
		other := theirs("a")
		other.Inactive = storage.ReasonUnknown
		put(t, store, other)
		p := &patient{harness: over(t, store, registry.WithHealth(registry.Health{}))}
		p.wantReason("stored by another program", "a", "unknown")
		p.do("ping", object("name", "a"))
		p.wantReason("pinged", "a", "active")
	})
}
