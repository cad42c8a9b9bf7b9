// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// lease registers a backend for so many seconds and returns the lease.
func (p *patient) lease(name string, seconds uint32) string {
	p.t.Helper()
	event, err := p.registry.Register(p.t.Context(), registry.RegisterParams{Name: name, Host: name, Port: 4444, TTLSeconds: &seconds})
	if err != nil {
		p.t.Fatal(err)
	}
	if event.Registered.LeaseID == "" {
		p.t.Fatal("the answer carries no lease")
	}
	return event.Registered.LeaseID
}

// leased is a registry in a bubble that probes nothing.
func leased(t *testing.T, test func(t *testing.T, p *patient, store storage.Store)) {
	synctest.Test(t, func(t *testing.T) {
		store := memory(t)
		test(t, unprobed(t, store), store)
	})
}

func unprobed(t *testing.T, store storage.Store) *patient {
	t.Helper()
	return &patient{harness: over(t, store)}
}

func (p *patient) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestLeaseExpires(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ storage.Store) {
		p.lease("a", 10)
		p.register("forever")
		p.after(10*time.Second - 1)
		p.expect("a", registry.StatusUnknown, true)
		p.after(1)
		p.expect("a", registry.StatusUnknown, false)
		p.after(24 * time.Hour)
		p.expect("forever", registry.StatusUnknown, true)
	})
}

func TestLeaseIsRenewed(t *testing.T) {
	for _, how := range []string{"ping", "ping with the lease", "register"} {
		t.Run(how, func(t *testing.T) {
			leased(t, func(t *testing.T, p *patient, _ storage.Store) {
				id := p.lease("a", 10)
				for range 5 {
					p.after(9 * time.Second)
					switch how {
					case "register":
						p.lease("a", 10)
					default:
						params := registry.LeaseParams{Name: "a"}
						if how != "ping" {
							params.LeaseID = &id
						}
						event, err := p.registry.Ping(t.Context(), params)
						if err != nil || !event.Ping.Success {
							t.Fatal(event.Ping, err)
						}
					}
					p.expect("a", registry.StatusUnknown, true)
				}
				p.after(10 * time.Second)
				p.expect("a", registry.StatusUnknown, false)
				// A late ping brings it back, for another term.
				if _, err := p.registry.Ping(t.Context(), registry.LeaseParams{Name: "a"}); err != nil {
					t.Fatal(err)
				}
				p.expect("a", registry.StatusUnknown, true)
				p.after(10 * time.Second)
				p.expect("a", registry.StatusUnknown, false)
			})
		})
	}
}

func TestRegisteringWithoutALeaseEndsIt(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ storage.Store) {
		p.lease("a", 10)
		p.register("a")
		p.after(time.Hour)
		p.expect("a", registry.StatusUnknown, true)
	})
}

func TestLeaseHasOneFullTermAfterARestart(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, store storage.Store) {
		p.lease("a", 10)
		p.after(9 * time.Second)
		if err := p.registry.Close(); err != nil {
			t.Fatal(err)
		}
		again := unprobed(t, store)
		again.after(10*time.Second - 1)
		again.expect("a", registry.StatusUnknown, true)
		again.after(1)
		again.expect("a", registry.StatusUnknown, false)
	})
}

func TestOldLeaseChangesNothing(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ storage.Store) {
		old := p.lease("a", 10)
		present := p.lease("a", 10)
		if old == present {
			t.Fatal("two registrations share a lease")
		}
		ctx := t.Context()
		before := *p.get("a")
		ping, err1 := p.registry.Ping(ctx, registry.LeaseParams{Name: "a", LeaseID: &old})
		gone, err2 := p.registry.Deregister(ctx, registry.LeaseParams{Name: "a", LeaseID: &old})
		deleted, err3 := p.registry.Delete(ctx, registry.LeaseParams{Name: "a", LeaseID: &old})
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
		if ping.Ping.Success || gone.Error == nil || deleted.Error == nil {
			t.Errorf("an old lease was taken: %+v %+v %+v", ping, gone, deleted)
		}
		for _, message := range []string{ping.Ping.Message, gone.Error.Message, deleted.Error.Message} {
			if !strings.Contains(message, old) || !strings.Contains(message, "not the present") {
				t.Errorf("the message is %q", message)
			}
		}
		if after := *p.get("a"); after.UpdatedAt != before.UpdatedAt || !after.IsActive || *after.LastSeen != *before.LastSeen {
			t.Errorf("changed from %+v to %+v", before, after)
		}
		if event, err := p.registry.Deregister(ctx, registry.LeaseParams{Name: "a", LeaseID: &present}); err != nil || event.Deregistered == nil {
			t.Errorf("the present lease was refused: %+v %v", event, err)
		}
		p.expect("a", registry.StatusUnknown, false)
	})
}

func TestOldLeaseRenewsNothing(t *testing.T) {
	leased(t, func(t *testing.T, p *patient, _ storage.Store) {
		old := p.lease("a", 10)
		p.lease("a", 10)
		p.after(9 * time.Second)
		if _, err := p.registry.Ping(t.Context(), registry.LeaseParams{Name: "a", LeaseID: &old}); err != nil {
			t.Fatal(err)
		}
		p.after(time.Second)
		p.expect("a", registry.StatusUnknown, false)
	})
}

func TestBoundsOfTTL(t *testing.T) {
	for seconds, ok := range map[uint32]bool{0: false, 4: false, 5: true, 86_400: true, 86_401: false} {
		params := registry.RegisterParams{Name: "a", Host: "h", Port: 1, TTLSeconds: &seconds}
		if err := params.Validate(); (err == nil) != ok {
			t.Errorf("%d seconds: %v", seconds, err)
		} else if err != nil && !strings.Contains(err.Error(), "ttl_seconds") {
			t.Errorf("the error does not name the parameter: %v", err)
		}
	}
}

func TestLeaseExpiresAfterAFailedRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &meddledStore{Store: memory(t)}
		p := unprobed(t, store)
		p.lease("a", 10)
		store.fail.Store(true)
		ttl := uint32(20)
		if _, err := p.registry.Register(t.Context(), registry.RegisterParams{Name: "a", Host: "a", Port: 4444, TTLSeconds: &ttl}); err == nil {
			t.Fatal("a full disk took it")
		}
		store.fail.Store(false)
		p.after(10 * time.Second)
		p.expect("a", registry.StatusUnknown, false)
	})
}

func TestExpiryIsRetriedWhenTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &meddledStore{Store: memory(t)}
		p := unprobed(t, store)
		p.lease("a", 10)
		store.fail.Store(true)
		p.after(time.Minute)
		p.expect("a", registry.StatusUnknown, true)
		store.fail.Store(false)
		p.after(2 * time.Second)
		p.expect("a", registry.StatusUnknown, false)
	})
}
