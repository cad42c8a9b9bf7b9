// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plexus-go/plexus/storage"
)

func (p *patient) wantAnswersAs(when, name, want string) {
	p.t.Helper()
	if b := p.get(name); b.AnswersAs != want {
		p.t.Errorf("%s: %s answers as %q, want %q", when, name, b.AnswersAs, want)
	}
}

// TestAliasesAndTakeovers lets the hub at one address answer under one name after
// the other; "" is silence.
func TestAliasesAndTakeovers(t *testing.T) {
	for _, tt := range []struct {
		answers   string
		active    bool
		answersAs string
	}{
		{"prod", true, ""},
		{"plexus", true, "plexus"},
		{"plexus plexus plexus", true, "plexus"},
		{"plexus - plexus", true, "plexus"},
		{"- plexus", true, "plexus"},
		{"plexus prod", true, ""},
		{"prod plexus", false, ""},
		{"prod - - - - plexus", false, ""},
		{"prod plexus prod", true, ""},
		{"plexus other", false, "plexus"},
		{"plexus other plexus", true, "plexus"},
		{"plexus prod plexus", false, ""},
		{"plexus restart plexus", true, "plexus"},
		{"plexus restart other", false, "plexus"},
		{"prod restart plexus", false, ""},
		{"prod register plexus", false, ""},
		{"prod move plexus", true, "plexus"},
		{"plexus move other", true, "other"},
		{"prod delete plexus", true, "plexus"},
		{"prod deregister plexus", false, ""},
		{"plexus deregister plexus", true, "plexus"},
		{"pro\x00d", false, ""},
		{strings.Repeat("x", 300), false, ""},
	} {
		t.Run(tt.answers, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory(t)
				p := newPatient(t, store)
				host := "here"
				enter := func() { p.harness.register(object("name", "prod", "host", host, "port", 4444)) }
				enter()
				for step := range strings.SplitSeq(tt.answers, " ") {
					switch step {
					case "restart":
						p.close()
						p = newPatient(t, store)
					case "move":
						host = "there"
						p.do("update", object("name", "prod", "host", host))
					case "delete":
						p.do("delete", object("name", "prod"))
						enter()
					case "register":
						enter()
					case "deregister":
						p.do("deregister", object("name", "prod"))
					case "-":
						p.down(host)
						p.rounds(1)
					default:
						p.answers(host, step)
						p.rounds(1)
					}
				}
				b := p.get("prod")
				if b.Active != tt.active || b.AnswersAs != tt.answersAs || b.Active != (b.Health == "passing") {
					t.Errorf("it is %v; want active %v as %q", b, tt.active, tt.answersAs)
				}
			})
		})
	}
}

// An alias in the file is told to whoever watches.
func TestAnAliasIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, withFile := withFile(storage.Backend{Name: "prod", Host: "prod", Port: 4444, Protocol: "ws"})
		p := newPatient(t, memory(t), withFile)
		_, listed := p.watched("{}", 1)
		p.answers("prod", "plexus")
		p.rounds(1)
		p.wantAnswersAs("answered", "prod", "plexus")
		for e := range p.watch(t.Context(), object("after", listed[0])) {
			if e.Backend != nil && e.Backend.AnswersAs == "plexus" && e.Backend.Health == "passing" && e.Backend.Active {
				return
			}
		}
	})
}
