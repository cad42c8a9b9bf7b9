// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// The owners of entries, the highest first.
const (
	byCall = "call"
	byEnv  = "env"
	byFile = "file"
	byAuto = "auto"
)

// modelEntry is what the model knows of an entry.
type modelEntry struct {
	owner, host string
	source      string    // of what was registered by a call
	lease       time.Time // zero for none
	ttl         time.Duration

	deregistered, dropped, expired bool
}

func (e *modelEntry) active() bool { return !e.deregistered && !e.dropped && !e.expired }

// model is the table of precedence, written down once more.
type model struct {
	entries map[string]*modelEntry
	lists   map[string]map[string]string // owner → name → host
	erased  map[string]map[string]bool
}

func newModel() *model {
	return &model{entries: map[string]*modelEntry{}, lists: map[string]map[string]string{}, erased: map[string]map[string]bool{}}
}

func (m *model) load(owner string, names map[string]string) {
	m.lists[owner] = names
	m.erased[owner] = map[string]bool{}
}

// settle applies the lists.
func (m *model) settle() {
	names := map[string]bool{}
	for _, l := range m.lists {
		for name := range l {
			names[name] = true
		}
	}
	for name := range m.entries {
		names[name] = true
	}
	for name := range names {
		owner, host := "", ""
		for _, o := range []string{byEnv, byFile, byAuto} {
			if h, ok := m.lists[o][name]; ok && !m.erased[o][name] {
				owner, host = o, h
				break
			}
		}
		e := m.entries[name]
		switch {
		case e == nil && owner != "":
			m.entries[name] = &modelEntry{owner: owner, host: host}
		case e == nil || e.owner == byCall:
		case owner == "":
			e.dropped = e.dropped || e.owner != byAuto
		case owner != e.owner || host != e.host:
			*e = modelEntry{owner: owner, host: host}
		default:
			e.dropped = false
		}
	}
}

func (m *model) expire(now time.Time) {
	for _, e := range m.entries {
		e.expired = e.expired || !e.lease.IsZero() && !now.Before(e.lease)
	}
}

// TestPrecedence drives random sequences of everything that can happen to
// entries, restarts included, and compares with the model after each step.
func TestPrecedence(t *testing.T) {
	for seed, steps := range []int{10_000, 1_000, 1_000} {
		if testing.Short() {
			steps /= 10
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { drive(t, rand.New(rand.NewPCG(uint64(seed), 1)), steps) })
		})
	}
}

func drive(t *testing.T, rng *rand.Rand, steps int) {
	store := memory(t)
	names := []string{"a", "b", "c", "d", "e"}
	some := func(host string) map[string]string {
		chosen := map[string]string{}
		for _, name := range names {
			if rng.IntN(3) == 0 {
				chosen[name] = fmt.Sprintf("%s%d", host, rng.IntN(2))
			}
		}
		return chosen
	}
	backends := func(chosen map[string]string) []storage.Backend {
		var all []storage.Backend
		for _, name := range slices.Sorted(maps.Keys(chosen)) {
			all = append(all, at(name, chosen[name]))
		}
		return all
	}
	// Each discovered name has an address of its own, so that the model need
	// not know about addresses.
	var addresses []registry.Address
	for _, name := range names {
		addresses = append(addresses, registry.Address{Host: "auto-" + name, Port: 4444, Protocol: "ws"})
	}
	found := func(chosen map[string]string) map[string]string {
		answers := map[string]string{}
		for name := range chosen {
			answers["ws://auto-"+name+":4444"] = name
		}
		return answers
	}

	m := newModel()
	env, file, answering := newSource(storage.SourceEnv), newSource(storage.SourceFile), &hubs{}
	everFound := map[string]string{}
	var h *harness
	start := func() {
		envList, fileList, foundList := some("env"), some("file"), some("auto")
		env, file = newSource(storage.SourceEnv, backends(envList)...), newSource(storage.SourceFile, backends(fileList)...)
		answering.set(found(foundList))
		m.load(byEnv, envList)
		m.load(byFile, fileList)
		m.lists[byAuto] = nil
		m.settle()
		for name := range foundList {
			foundList[name] = "auto-" + name
		}
		everFound = foundList
		m.load(byAuto, maps.Clone(everFound))
		m.settle()
		for _, e := range m.entries {
			if !e.expired && e.ttl > 0 {
				e.lease = time.Now().Add(e.ttl)
			}
		}
		h = over(t, store, registry.WithSource(file), registry.WithSource(env), // in the wrong order
			registry.WithDiscovery(addresses...), registry.WithHealth(registry.Health{Probe: answering.probe, Timeout: time.Second}))
		synctest.Wait()
	}
	start()

	var done []string // the last steps, for the report
	for step := range steps {
		name := names[rng.IntN(len(names))]
		did := ""
		switch rng.IntN(10) {
		case 0, 1:
			host := fmt.Sprintf("call%d", rng.IntN(2))
			params := []any{"name", name, "host", host, "port", 4444}
			e := m.entries[name]
			if e == nil {
				e = &modelEntry{}
				m.entries[name] = e
			}
			*e = modelEntry{owner: byCall, source: "manual", host: host}
			if rng.IntN(2) == 0 {
				e.source = "auto"
				params = append(params, "source", e.source)
			}
			if rng.IntN(2) == 0 {
				ttl := 5 + rng.IntN(20)
				params = append(params, "ttl_seconds", ttl)
				e.ttl = time.Duration(ttl) * time.Second
				e.lease = time.Now().Add(e.ttl)
			}
			h.quick("register", object(params...))
			did = "register " + name + " at " + host
		case 2:
			host := fmt.Sprintf("update%d", rng.IntN(2))
			if e := m.entries[name]; e != nil {
				if e.owner != byCall {
					e.owner, e.source = byCall, "manual"
				}
				e.host = host
			}
			h.quick("update", object("name", name, "host", host))
			did = "update " + name
		case 3:
			delete(m.entries, name)
			for owner, l := range m.lists {
				if _, ok := l[name]; ok {
					m.erased[owner][name] = true
				}
			}
			h.quick("delete", object("name", name))
			did = "delete " + name
		case 4:
			if e := m.entries[name]; e != nil {
				e.deregistered, e.expired = false, false
				e.dropped = e.dropped && e.owner != byCall
				if e.ttl > 0 {
					e.lease = time.Now().Add(e.ttl)
				}
			}
			h.quick("ping", object("name", name))
			did = "ping " + name
		case 5:
			if e := m.entries[name]; e != nil {
				e.deregistered = true
			}
			h.quick("deregister", object("name", name))
			did = "deregister " + name
		case 6:
			owner, source := byFile, file
			if rng.IntN(2) == 0 {
				owner, source = byEnv, env
			}
			chosen := some(owner)
			source.set(backends(chosen)...)
			m.load(owner, chosen)
			m.settle()
			did = fmt.Sprint(owner, " changes to ", chosen)
		case 7:
			m.load(byEnv, m.lists[byEnv])
			m.load(byFile, m.lists[byFile])
			m.settle()
			h.quick("reload", "")
			did = "reload"
		case 8:
			// A little later than whole seconds, after the look at the leases.
			time.Sleep(time.Duration(1+rng.IntN(8))*time.Second + time.Millisecond)
			m.expire(time.Now())
			did = "time passes"
		case 9:
			if rng.IntN(10) > 0 { // as a hub takes its time to start
				continue
			}
			h.close()
			start()
			did = fmt.Sprint("restart with ", m.lists)
		}
		synctest.Wait()
		done = append(done, did)
		if diff := compare(h, m); diff != "" {
			t.Fatalf("step %d: %s\nafter: %q", step, diff, done[max(0, len(done)-12):])
		}
	}
}

func compare(h *harness, m *model) string {
	got := map[string]string{}
	for _, b := range h.quick("list", `{"active_only": false}`).Backends {
		got[b.Name] = fmt.Sprintf("%s at %s, active %v", b.Source, b.Host, b.Active)
	}
	want := map[string]string{}
	for name, e := range m.entries {
		source := e.owner
		if source == byCall {
			source = e.source
		}
		want[name] = fmt.Sprintf("%s at %s, active %v", source, e.host, e.active())
	}
	if maps.Equal(got, want) {
		return ""
	}
	return fmt.Sprintf("got  %v\nwant %v", got, want)
}
