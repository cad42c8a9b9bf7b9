// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin/registry"
)

// What is gone counts for nobody.
func TestInactiveEntriesDoNotCount(t *testing.T) {
	for name, gone := range map[string]func(h *harness, name string){
		"deregistered": func(h *harness, name string) { h.do("deregister", object("name", name)) },
		"deleted":      func(h *harness, name string) { h.do("delete", object("name", name)) },
		"expired":      func(h *harness, _ string) { time.Sleep(6 * time.Second); synctest.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, registry.WithRegistrations(3))
				register := func(name string) bool {
					return h.call(t.Context(), "register", object("name", name, "host", "h", "port", 1, "ttl_seconds", 5)).refused == nil
				}
				for i := range 20 {
					name := fmt.Sprint("n", i)
					if !register(name) {
						t.Fatalf("%s is refused", name)
					}
					gone(h, name)
				}
				// What is active counts, also what has come back.
				for i, want := range []bool{true, true, true, false} {
					if got := register(fmt.Sprint("a", i)); got != want {
						t.Errorf("registration %d: %v", i, got)
					}
				}
				if register("n0") {
					t.Error("one that was gone comes back over the limit")
				}
				gone(h, "a0")
				if name != "deleted" && !h.do("ping", `{"name": "a0"}`).Success {
					t.Error("a0 can't be pinged")
				}
				if got := register("b"); got != (name != "deregistered") {
					t.Errorf("beside one that was pinged back: %v", got)
				}
			})
		})
	}
}

func TestGoneEntriesAreForgotten(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name  string
		after time.Duration // the option; 0 for the default
		do    func(p *patient)
		wait  time.Duration
		want  []string
	}{
		{"deregistered", 0, func(p *patient) { p.do("deregister", `{"name": "a"}`) }, 30*day + time.Hour, []string{"b", "f"}},
		{"not yet", 0, func(p *patient) { p.do("deregister", `{"name": "a"}`) }, 29 * day, []string{"a", "b", "f"}},
		{"earlier", time.Hour, func(p *patient) { p.do("deregister", `{"name": "a"}`) }, time.Hour + 10*time.Minute, []string{"b", "f"}},
		{"never", -1, func(p *patient) { p.do("deregister", `{"name": "a"}`) }, 60 * day, []string{"a", "b", "f"}},
		{"silent", day, func(p *patient) { p.down("a") }, day + 3*time.Hour, []string{"b", "f"}},
		{"silent, but listed by a source", day, func(p *patient) { p.down("f") }, 2 * day, []string{"a", "b", "f"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := at("f", "f")
				_, option := withFile(f)
				options := []registry.Option{option, registry.WithForgetAfter(test.after)}
				if test.name == "silent" || test.name == "silent, but listed by a source" {
					p := newPatient(t, memory(t), options...)
					p.up("a", "b", "f")
					p.register("a", "b")
					p.rounds(2)
					test.do(p)
					time.Sleep(test.wait)
					synctest.Wait()
					same(t, "what is left", slices.Sorted(slices.Values(p.names(`{"active_only": false}`))), test.want)
					return
				}
				p := &patient{over(t, memory(t), options...), nil}
				p.register("a", "b")
				test.do(p)
				time.Sleep(test.wait)
				synctest.Wait()
				same(t, "what is left", slices.Sorted(slices.Values(p.names(`{"active_only": false}`))), test.want)
				p.register("a") // it can come back
			})
		})
	}
}

// An entry that another program has deactivated is not ours to delete.
func TestEntriesOfAnotherProgramAreKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "registry.db")
	data, err := os.ReadFile("../../storage/sqlite/testdata/reference-registry.db")
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	h := over(t, openStore(t, path), registry.WithForgetAfter(time.Second))
	before := h.all()
	time.Sleep(2500 * time.Millisecond)
	same(t, "what is listed", h.all(), before)
}

// An entry that is gone is probed ever more seldom, until it shows that it is there.
func TestGoneEntriesAreProbedEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var probes atomic.Int64
		p := newPatient(t, memory(t))
		p.hubs.probed = func(string) { probes.Add(1) }
		p.register("a")
		count := func(d time.Duration) int {
			before := probes.Load()
			time.Sleep(d)
			synctest.Wait()
			return int(probes.Load() - before)
		}
		if n := count(5 * time.Minute); n < 8 {
			t.Errorf("%d probes in the first 5 minutes", n)
		}
		if n := count(time.Hour); n > 20 {
			t.Errorf("%d probes in the first hour", n)
		}
		if n := count(24 * time.Hour); n < 20 || n > 26 {
			t.Errorf("%d probes in a day", n)
		}
		// A sign of life: it is probed in the next round, and is active then.
		p.up("a")
		p.do("ping", `{"name": "a"}`)
		p.rounds(1)
		p.expect("a", "passing", true)
		// And again, where it registers.
		p.down("a")
		time.Sleep(24 * time.Hour)
		p.expect("a", "critical", false)
		p.up("a")
		p.register("a")
		p.rounds(1)
		p.expect("a", "passing", true)
		// Without one it is found within the hour.
		p.down("a")
		time.Sleep(24 * time.Hour)
		p.up("a")
		time.Sleep(time.Hour + time.Minute)
		p.expect("a", "passing", true)
	})
}
