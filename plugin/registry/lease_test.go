// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// leased is a registry in a bubble that probes nothing.
func leased(t *testing.T, test func(t *testing.T, p *patient, store *meddledStore)) {
	synctest.Test(t, func(t *testing.T) {
		store := &meddledStore{Store: memory(t)}
		test(t, &patient{harness: over(t, store)}, store)
	})
}

// lease registers a backend for so many seconds and returns the lease.
func (p *patient) lease(name string, seconds int) string {
	p.t.Helper()
	e := p.do("register", object("name", name, "host", name, "port", 4444, "ttl_seconds", seconds))
	if e.LeaseID == "" {
		p.t.Fatal("the answer carries no lease")
	}
	return e.LeaseID
}

func (p *patient) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestLeaseExpires(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ *meddledStore) {
		p.lease("a", 10)
		p.register("forever")
		p.after(10*time.Second - 1)
		p.expect("a", "unknown", true)
		p.after(1)
		p.expect("a", "unknown", false)
		p.after(24 * time.Hour)
		p.expect("forever", "unknown", true)
	})
}

func TestLeaseIsRenewed(t *testing.T) {
	for how, renew := range map[string]func(p *patient, lease string) bool{
		"ping": func(p *patient, _ string) bool { return p.do("ping", object("name", "a")).Success },
		"ping with the lease": func(p *patient, lease string) bool {
			return p.do("ping", object("name", "a", "lease_id", lease)).Success
		},
		"register": func(p *patient, _ string) bool { return p.lease("a", 10) != "" },
	} {
		t.Run(how, func(t *testing.T) {
			leased(t, func(t *testing.T, p *patient, _ *meddledStore) {
				id := p.lease("a", 10)
				for range 5 {
					p.after(9 * time.Second)
					if !renew(p, id) {
						t.Fatal("not renewed")
					}
					p.expect("a", "unknown", true)
				}
				p.after(10 * time.Second)
				p.expect("a", "unknown", false)
				// A late ping brings it back, for another term.
				p.do("ping", object("name", "a"))
				p.expect("a", "unknown", true)
				p.after(10 * time.Second)
				p.expect("a", "unknown", false)
			})
		})
	}
}

func TestRegisteringWithoutALeaseEndsIt(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ *meddledStore) {
		p.lease("a", 10)
		p.register("a")
		p.after(time.Hour)
		p.expect("a", "unknown", true)
	})
}

func TestLeaseHasOneFullTermAfterARestart(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, store *meddledStore) {
		p.lease("a", 10)
		p.after(9 * time.Second)
		p.close()
		again := &patient{harness: over(t, store)}
		again.after(10*time.Second - 1)
		again.expect("a", "unknown", true)
		again.after(1)
		again.expect("a", "unknown", false)
	})
}

func TestOldLeaseChangesNothing(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ *meddledStore) {
		old := p.lease("a", 10)
		present := p.lease("a", 10)
		if old == present {
			t.Fatal("two registrations share a lease")
		}
		before := p.all()
		p.after(9 * time.Second)
		for _, method := range []string{"ping", "deregister", "delete"} {
			e := p.do(method, object("name", "a", "lease_id", old))
			if e.Success || e.Type != "error" && method != "ping" ||
				!strings.Contains(e.Message, old) || !strings.Contains(e.Message, "not the present") {
				t.Errorf("%s with an old lease: %+v", method, e)
			}
		}
		same(t, "listed", p.all(), before)
		p.after(time.Second) // and it renews nothing
		p.expect("a", "unknown", false)
		p.do("ping", object("name", "a"))
		same(t, "with the present lease", p.do("deregister", object("name", "a", "lease_id", present)).described(), "backend_deregistered a")
		p.expect("a", "unknown", false)
	})
}

func TestLeaseExpiresAfterAFailedRegistration(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, store *meddledStore) {
		p.lease("a", 10)
		store.fail.Store(true)
		if a := p.call(t.Context(), "register", object("name", "a", "host", "a", "port", 4444, "ttl_seconds", 20)); a.refused == nil {
			t.Fatal("a full disk took it")
		}
		store.fail.Store(false)
		p.after(10 * time.Second)
		p.expect("a", "unknown", false)
	})
}

func TestExpiryIsRetriedWhenTheStoreFails(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, store *meddledStore) {
		p.lease("a", 10)
		store.fail.Store(true)
		p.after(time.Minute)
		p.expect("a", "unknown", true)
		store.fail.Store(false)
		p.after(2 * time.Second)
		p.expect("a", "unknown", false)
	})
}
